"""The sign-in page: the one page a stranger is given. It names nothing of the workspace and loads nothing."""

SIGN_IN_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · brand_voice</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --ink: #1b1a18; --paper: #f7f7f5; --card: #fff; --line: #c6c3b9; --quiet: #53514c;
  --button: #fff; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #efeeea; --paper: #121110; --card: #1b1a18; --line: #53514c; --quiet: #c6c3b9; --button: #1b1a18;
    --bad: #f2a49c; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px 16px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
  "DejaVu Sans", sans-serif; }
main { width: 100%; max-width: 360px; }
h1 { font-size: 20px; font-weight: 650; letter-spacing: -0.01em; margin: 0 0 14px; }
form { display: grid; gap: 14px; padding: 20px; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
label { display: grid; gap: 4px; font-size: 14px; font-weight: 500; color: var(--quiet); }
input { width: 100%; padding: 9px 10px; font: inherit; font-size: 16px; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 6px; }
button { padding: 10px 14px; font: inherit; font-weight: 600; color: var(--button); background: var(--ink); border: 0;
  border-radius: 6px; cursor: pointer; }
button:disabled { opacity: 0.6; cursor: default; }
:focus-visible { outline: 2px solid var(--ink); outline-offset: 2px; }
p { margin: 0; font-size: 13px; color: var(--quiet); }
#problem { font-size: 14px; color: var(--bad); }
#problem:empty { display: none; }
main > p { margin-top: 14px; }
</style>
</head>
<body>
<main>
<h1>brand_voice</h1>
<form id="sign-in" action="login" method="post">
<label>Name <input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required
  autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<p id="problem" role="alert"></p>
<button>Sign in</button>
</form>
<p>No name yet, or the password is lost? Ask an admin of this workspace.</p>
</main>
<script>
const form = document.getElementById("sign-in"), problem = document.getElementById("problem");
const button = form.querySelector("button"), password = form.elements.password;
const tell = (text) => { problem.textContent = text; button.disabled = false; password.focus(); password.select(); };
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  problem.textContent = "";
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    if (answer.ok) location.reload();
    else if (answer.status === 429) tell((await answer.json()).detail);
    else tell("This name and password do not belong together.");
  } catch {
    tell("The app does not answer. Is it still running?");
  }
});
</script>
</body>
</html>
"""
