"""The page of the error analysis: one HTML file that needs nothing else."""
import base64
from collections.abc import Mapping, Sequence
from html import escape
from string import Template

from .captions import CAPTIONS
from .pictures import PLOTS, TOP, Picture, describe, top_note
from .tables import TABLES, summary_table

_PAGE = Template('''<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.5 sans-serif; color: #222; margin: 0 auto;
       max-width: 1280px; padding: 0 1em 3em; }
figure { margin: 1em 0; }
img { max-width: 100%; height: auto; border: 1px solid #ddd; }
p { max-width: 60em; }
table { border-collapse: collapse; margin: .6em 0; font-size: 13px; }
th, td { border-bottom: 1px solid #ddd; padding: .15em .7em;
         text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; font-weight: bold; padding: .3em 0; }
.scroll { overflow-x: auto; }
.warning { border-left: 5px solid #d55e00; background: #fdf3ec;
           padding: .4em .8em; max-width: 60em; }
summary { cursor: pointer; color: #0a5385; }
nav li { display: inline; margin-right: 1em; }
nav ul { padding: 0; }
</style>
</head>
<body>
<h1>$title</h1>
$head
$body
</body>
</html>
''')


def render_page(content: Mapping, pictures: Sequence[Picture]) -> str:
    """Write the page.

    Args:
        content: What ``analysis.json`` holds.
        pictures: From ``draw_pictures``; they are embedded.

    Returns:
        str: HTML, with no reference to anything outside of it.
    """
    names = list(next(iter(content['settings'].values()))['detectors'])
    head = [
        f'<p>Detectors: {escape(", ".join(names))}.<br>'
        f'{escape(content["protocol"])}.<br>All numbers are in '
        'analysis.json beside this page.</p>'
    ]
    head += [
        f'<p class="warning">{escape(text)}</p>'
        for text in content['warnings']
    ]
    body = []
    for setting, part in content['settings'].items():
        head.append(_contents(setting))
        body.append(f'<h2 id="{setting}">Setting {setting}</h2>'
                    f'<p>{escape(describe(content, setting))}</p>')
        body.append(summary_table(part['detectors']))
        for topic in (*PLOTS, TOP):
            body.append(_section(setting, part, topic, pictures))
    return _PAGE.substitute(
        title='Error analysis of WIDER FACE detections',
        head='\n'.join(head),
        body='\n'.join(body))


def _contents(setting: str) -> str:
    """Links to the sections of one setting."""
    links = ''.join(f'<li><a href="#{setting}-{topic}">'
                    f'{escape(CAPTIONS[topic][0])}</a></li>'
                    for topic in (*PLOTS, TOP))
    return (f'<nav><b><a href="#{setting}">Setting {setting}</a></b>'
            f'<ul>{links}</ul></nav>')


def _section(setting: str, part: Mapping, topic: str,
             pictures: Sequence[Picture]) -> str:
    """One topic: title, explanation, figures and numbers."""
    title, text = CAPTIONS[topic]
    lines = [
        f'<section id="{setting}-{topic}"><h3>{escape(title)}</h3>',
        f'<p>{escape(text)}</p>'
    ]
    if topic == TOP:
        lines += [
            f'<p>{escape(name)}: {escape(top_note(analyses[TOP]))}.</p>'
            for name, analyses in part['detectors'].items()
        ]
    for picture in pictures:
        if (picture.setting, picture.topic) == (setting, topic):
            lines.append(_figure(picture, title))
    if topic in TABLES:
        lines.append('<details><summary>Numbers</summary>'
                     f'{TABLES[topic](part["detectors"])}</details>')
    return '\n'.join([*lines, '</section>'])


def _figure(picture: Picture, title: str) -> str:
    """A picture as a data URI."""
    form = 'jpeg' if picture.file_name.endswith('.jpg') else 'png'
    data = base64.b64encode(picture.data).decode('ascii')
    return (f'<figure><img alt="{escape(title)}, {escape(picture.setting)}" '
            f'src="data:image/{form};base64,{data}"></figure>')
