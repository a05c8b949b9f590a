"""The brand guide's rules as pure checks of a text against its brief."""
