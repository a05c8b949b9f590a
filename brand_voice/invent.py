"""Invented names, offers, codes and numbers, so that the base student meets more of them than it can memorise.

Everything is drawn from a `random.Random` that the caller seeds. No word here comes from the demo brands' catalogues;
the lists are plain vocabulary, and most of the variety comes from combining syllables.
"""

import random

ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sh sk sl sn sp st t th tr v w y z"
NUCLEI = "a e i o u ai ea ee oa ou au ei ie y ø å ä ö ü é è ê á ô ó"
CODAS = "b ck d g l ll m mp n nd ng nt p r rd rk rl rn rt s sk ss st t th x ß"
WORDS = """
amber anchor apple arch ash attic autumn badge bamboo bank barley basin basket bay beacon bear bell bench birch bird
blossom blue boat bolt bonnet book bottle boulder bow bramble branch brass bread breeze brick bridge bright brook
brush bucket button cabin candle canvas canyon cap carbon cedar chalk chapel cherry chimney cinder circle city clay
cliff clock cloud clover coal coast cobalt comet compass copper coral corner cotton cove crane creek cricket crown cup
current cypress daisy dawn deep desk dew dollar door dove drift drum dune dusk eagle early east echo edge elm ember
engine evening falcon farm feather fern ferry field fig finch fir fire five flag flame flint float flower fog forest
fork fort fountain four fox friday frost garden gate ghost ginger glass glen glove gold grain grand granite grass
gravel great green grey ground grove gull half hall hammer hand harvest hat hazel heart heath hedge heron hill hollow
home honey hook horn horse house hut ice indigo ink iron island ivory ivy jacket jade jar jasper jet juniper kite knot
ladder lake lamp lane lark last laurel lead leaf lemon letter level light lilac lily lime linen lion little loaf lock
log long loom low lucky lunar magnet maple marble march market marsh meadow mellow metal midnight mile milk mill mint
mirror mist monday moon moss mountain narrow nest nettle new night nine noble noon north oak oat ocean old olive one
onyx opal orchard otter owl paper park path peach pear pebble pepper petal pewter pier pilot pine plain plum pocket
polar pond poplar porch post prairie quarry quartz quick quiet quill rabbit rail rain raven red reed ribbon ridge
river road robin rock rocket root rope rose round row rust saddle saffron sage sail salt sand sapphire scarlet sea
second seed seven shade shadow sharp shell shore silk silver simple single six sky slate slow small smoke snow soft
south spark sparrow spice spring square star steady steam steel step stone storm straw stream street summer sun sunday
swallow swan swift table tall tea thistle thorn thread three thunder tide tiger tile timber tin topaz torch tower town
trail tree true tulip turtle twin two under union upper valley velvet violet wagon walnut warm water wave wax weather
west wheel white wicker wild willow wind window wing winter wolf wood wool wren yard yellow zephyr zinc
""".split()
KINDS = """
bag balm band bar basket belt blanket block board boot bottle bowl box brush cake cap card case chair chest coat cream
crock cup cushion desk dish drill filter flask frame gel glove grinder hat hook jacket jar jug kettle kit knife ladder
lamp lock loaf mask mat mill mitt mug oil pack pad pan pass pen plan plate pot pouch press rack robe rope rug sack saw
scale scarf serum set shed shelf shirt shoe soap sock spoon stand stool stove suite table tent tin tool torch towel
tray tub vase vest wax wrap
""".split()
SURNAMES = (
    "Abbott Baker Calloway Dara Ellis Finch Greta Hollis Ines Jonas Kemp Lowell Marta Nils Odell Petra Quinn Rosa"
)
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
UNITS = (
    "g kg oz lb ml l cm mm m km inches feet hours minutes days weeks years pages pieces watts volts lumens °C % kW dB"
)


def word(rng: random.Random) -> str:
    """Draw a plain word, or make one up from syllables."""
    if rng.random() < 0.45:
        return rng.choice(WORDS)
    onsets, nuclei, codas = ONSETS.split(), NUCLEI.split(), CODAS.split()
    # The letters beyond plain English come last in NUCLEI and CODAS; they stay rare.
    nucleus = nuclei if rng.random() < 0.15 else nuclei[:-11]
    coda = codas if rng.random() < 0.1 else codas[:-1]
    syllables = [rng.choice(onsets) + rng.choice(nucleus) for _ in range(rng.choice((1, 2, 2, 3)))]
    return "".join(syllables) + (rng.choice(coda) if rng.random() < 0.6 else "")


def title(rng: random.Random) -> str:
    """One capitalised word."""
    return word(rng).capitalize()


def name(rng: random.Random) -> str:
    """A product name: one to four words, sometimes with an apostrophe, a number or an ampersand."""
    kind = rng.choice(KINDS).capitalize()
    owner = rng.choice(SURNAMES.split())
    forms = (
        lambda: title(rng),
        lambda: f"{title(rng)} {title(rng)}",
        lambda: f"{title(rng)} {title(rng)}",
        lambda: f"{title(rng)} {kind}",
        lambda: f"{title(rng)} {kind}",
        lambda: f"The {title(rng)} {kind}",
        lambda: f"The {title(rng)}",
        lambda: f"{owner}'s {kind}",
        lambda: f"{title(rng)} & {title(rng)}",
        lambda: f"{title(rng)} {rng.randint(2, 99)}",
        lambda: f"{title(rng)} No. {rng.randint(1, 20)}",
        lambda: f"{title(rng)} {title(rng)} {kind}",
        lambda: f"{title(rng)}-{title(rng)}",
        lambda: f"{title(rng)} {rng.choice('KMSTXZ')}{rng.randint(1, 9)}",
        lambda: f"{title(rng)} of {title(rng)}",
    )
    return rng.choice(forms)()


def code(rng: random.Random) -> str:
    """An offer code in capitals, with or without a number."""
    letters = word(rng).upper().replace("ß", "SS")
    return letters if rng.random() < 0.3 and len(letters) > 3 else f"{letters}{rng.randint(1, 99)}"


def amount(rng: random.Random) -> str:
    """How much is taken off."""
    percent = f"{rng.choice((5, 10, 15, 20, 25, 30, 35, 40, 50, rng.randint(6, 70)))}%"
    money = f"{rng.choice('$$$£€')}{rng.randint(2, 90)}"
    return rng.choice((percent, percent, money))


def deadline(rng: random.Random) -> str:
    """Until when an offer holds, with its preposition."""
    day, month = rng.choice(DAYS), rng.choice(MONTHS)
    fixed = ("this week", "this weekend", "today", "this month", "all week", "through the weekend")
    return rng.choice(
        (
            *fixed,
            f"through {day}",
            f"until {day}",
            f"through {month} {rng.randint(1, 30)}",
            f"until {rng.randint(1, 30)} {month}",
            f"in {month}",
        )
    )


def offer(rng: random.Random) -> str:
    """An offer, one of tens of thousands."""
    thing = rng.choice(KINDS)
    forms = (
        f"{amount(rng)} off",
        f"{amount(rng)} off {deadline(rng)}",
        f"{amount(rng)} off {deadline(rng)}",
        f"{amount(rng)} off with code {code(rng)}",
        f"{amount(rng)} off with code {code(rng)}",
        f"{amount(rng)} off your first {thing}",
        f"{amount(rng)} off two or more",
        f"{amount(rng)} off any {thing}",
        f"free shipping {deadline(rng)}",
        "free shipping",
        f"free shipping over ${rng.randint(15, 150)}",
        f"free {thing} with every order",
        f"buy {rng.choice(('two', 'three'))}, get one free",
        f"two for ${rng.randint(9, 99)}",
        f"first {rng.choice(('month', 'week', 'box', thing))} {rng.choice(('free', 'half price'))}",
        f"code {code(rng)} for {amount(rng)} off",
        f"{thing}s half price {deadline(rng)}",
    )
    return rng.choice(forms)


def number(rng: random.Random, like: str) -> str:
    """A number of the same shape as `like` ("1,200", "0.5", "48"): digits change, separators and length stay."""
    digits = [rng.choice("0123456789") if c.isdigit() else c for c in like]
    if digits[0] == "0" and not like.startswith("0"):
        digits[0] = rng.choice("123456789")
    return "".join(digits)


def measure(rng: random.Random) -> str:
    """A number with its unit."""
    value = rng.choice(
        (
            str(rng.randint(2, 99)),
            f"{rng.randint(1, 9)}.{rng.randint(1, 9)}",
            f"{rng.randint(1, 9)},{rng.randint(100, 999)}",
        )
    )
    return f"{value} {rng.choice(UNITS.split())}"
