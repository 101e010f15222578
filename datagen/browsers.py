"""User agents of people's browsers, made by a grammar: devices of many makers, builds, browsers within apps.

None of them is a bot, whatever words their makers chose. Beside those that visitors sent
(device-detector's test cases) they are what the list of crawlers is checked on: `datagen.crawlers`.
"""

from __future__ import annotations

import itertools
import random

from datagen.cloudfront_logs import browsers as common_browsers

__all__ = ["browsers"]

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
# Makers and lines of devices, among them such as sound like crawlers, scanners and tools.
_MAKERS = (
    "Acer", "Advan", "AGM", "Aiwa", "Alcatel", "Allview", "Amazon KF", "Archos", "Assistant",
    "Asus ZenFone", "Azumi", "Black Fox", "BlackBerry", "Blackview", "BLU", "Bluboo", "Bot X", "BQ Aquaris",
    "Casper VIA", "CAT S", "Celkon", "Cellacom", "Cherry Sonic", "Clarmin", "Cobalt", "Condor", "Coolpad",
    "Crawler Pad", "CUBOT", "CUBOT_KINGKONG", "Cyrus", "Danew", "Desay", "Dexp", "Digma", "Doogee", "Doro",
    "Echo", "Elephone", "Energizer", "Ergo", "Essential", "Evercoss", "Expanse", "Explay", "F2 Mobile",
    "Fairphone", "Feed Box", "Fero", "Fetch Tab", "Fever", "Figi", "Fluid", "Fly IQ", "FNF", "Geotel",
    "Gigaset", "Gionee", "Go-http", "GoMeta", "Gretel", "Hafury", "Haier", "Hisense", "HMD", "Homtom",
    "Honor", "Hotpepper", "HOTWAV", "HTC Butterfly", "HUAWEI", "Hyundai", "I-Mobile", "iBall", "iHunt",
    "ILA", "Infinix", "InFocus", "InnJoo", "Intex", "itel", "Java", "Jinga", "JioPhone", "Karbonn", "Kazam",
    "Keneksi", "Kodak", "Kyocera", "Land Rover", "Lanix", "Lava", "Leagoo", "LeEco", "Lenovo", "Lephone",
    "LG", "Logic", "Logitab", "M bot", "Masstel", "Maze", "Medion", "Meizu", "Micromax", "Mito", "Mlais",
    "Mobicel", "Mobiwire", "Monitor Phone", "moto g", "MyPhone", "Neffos", "Neolix", "Nokia", "Nomu",
    "Nothing A", "NUU", "Oale", "OnePlus", "OPPO CPH", "Orange Dive", "Oukitel", "Panasonic ELUGA",
    "Philips", "Ping", "Pixel", "POCO", "Polaroid", "POWER BOT", "Prestigio", "Python", "Qiku", "QMobile",
    "Razer", "Realme RMX", "Redmi Note", "Robot", "Rokit", "Sagit", "Samsung SM-A", "Samsung SM-S",
    "Scanner TC", "Scrapy", "Search Edge", "Senseit", "Sharp AQUOS", "Siswoo", "Sky Elite", "Smartisan",
    "Snake", "Snapdragon", "Sonic", "Sony XQ", "Spice", "Spider Q", "STF", "Sugar", "Swipe", "Symphony",
    "TCL", "Tecno", "Tele2", "teXet", "THL", "Timmy", "Tool Pad", "Torque", "TP-Link", "UHANS", "Ulefone",
    "UMIDIGI", "Unihertz", "Vernee", "Vertex", "Vertu", "Vestel", "ViewSonic", "vivo V", "Vodafone Smart",
    "Vonino", "Walton", "Wget Tab", "Wiko", "Wileyfox", "WinMax", "Wolder", "X-Bot Senior", "XGody",
    "Xiaomi", "Xolo", "Yandex Phone", "Yota", "YU Yureka", "Zebra", "ZOJI", "Zopo", "ZTE Axon", "ZTE Blade",
    "Zuk",
)  # fmt: skip
# What apps put behind the browser that they show pages in.
_WITHIN = (
    "", "[FB_IAB/FB4A;FBAV/{n}.0.0.44.99;]", "Instagram {n}.0.0.36.85 Android", "Line/{m}.19.1/IAB",
    "MicroMessenger/8.0.{m}.2600 WeChat/arm64 Weixin NetType/WIFI Language/en", "musical_ly_{n}09 JsSdk/1.0",
    "BytedanceWebview/d8a21c6", "Viber/{m}.4.0.0", "Snapchat/12.{m}.0.40 (like Safari/8618.2.12)",
    "[Pinterest/Android]", "KAKAOTALK {m}.3.1 (INAPP)", "NAVER(inapp; search; {n}; {m}.5.3)", "GSA/{m}.8.26",
    "SogouMSE,SogouMobileBrowser/{m}.1.5", "SGInfo/720/1280/2.0 SogouSearch Android1.0 version3.0",
    "baiduboxapp/{m}.10.0.10 (Baidu; P1 {m})", "MQQBrowser/{m}.5 TBS/046{n}", "UCBrowser/{m}.0.0.1132",
    "YaBrowser/{m}.9.0.199 YaApp_Android/23.{m}", "DuckDuckGo/5", "Ddg/{m}.4", "Ecosia android@{n}.0",
    "OPR/{m}.0.2254", "EdgA/{n}.0.0.0", "SamsungBrowser/{m}.0", "Silk/{n}.4.1", "MiuiBrowser/{m}.5-gn",
    "HeyTapBrowser/{m}.8.4", "VivoBrowser/{m}.3.0", "HuaweiBrowser/{m}.0.4.300", "Quark/{m}.5.1",
    "LinkedInApp", "Twitter for Android", "Reddit/2026.{m}", "Telegram-Android/{m}.2.3 (Robot X; Android 14)",
    "Discord-Android/{n}", "SearchCraft/3.{m} (Baidu)", "WhatsApp", "AlohaBrowser/{m}.3", "Phoenix/{m}.4",
)  # fmt: skip
_LETTERS = "ABCDEFGHKLMNPQRSTUVWXYZ"


def browsers(count: int = 12_000, *, seed: int = 1) -> list[str]:
    """User agents of people.

    Args:
        count: How many of Android's; about 1,500 of all systems come before them.
        seed: Of the random numbers: the same seed gives the same list.
    """
    rng = random.Random(seed)
    every = list(itertools.product(_MAKERS, _WITHIN))
    return [*common_browsers(), *(_android(rng, *rng.choice(every)) for _ in range(count))]


def _android(rng: random.Random, maker: str, within: str) -> str:
    android = rng.choice(("8.1.0", "9", *map(str, range(10, 17))))
    model = f"{maker}{rng.choice((' ', '-', '_', ''))}{rng.choice(_LETTERS)}{rng.randrange(1, 999)}"
    ending = rng.choice((f" Build/{_build(rng)}", f" Build/{model}", f"; Build/{_build(rng)}", ""))
    view = rng.choice(("; wv", ""))
    chrome = f"Chrome/{rng.randrange(70, 146)}.0.{rng.randrange(4000, 7900)}.{rng.randrange(200)}"
    app = within.format(n=rng.randrange(90, 600), m=rng.randrange(1, 60))
    version = "Version/4.0 " if view else ""
    text = f"Mozilla/5.0 (Linux; Android {android}; {model}{ending}{view}) {_WEBKIT} {version}{chrome}"
    return f"{text}{rng.choice((' Mobile', ''))} Safari/537.36 {app}".rstrip()


def _build(rng: random.Random) -> str:
    """A build id as Android's code lists them: https://source.android.com/docs/setup/reference/build-numbers"""
    branch = f"{rng.choice(_LETTERS)}{rng.choice('PQ')}{rng.randrange(1, 5)}{rng.choice('AB')}"
    date = f"{rng.randrange(17, 27)}{rng.randrange(1, 13):02d}{rng.choice((1, 5, 17, 19)):02d}"
    return f"{branch}.{date}.{rng.randrange(1, 60):03d}{rng.choice(('', '.A1', '.C2'))}"
