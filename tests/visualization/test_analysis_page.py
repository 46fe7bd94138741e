import base64
import sys
from html.parser import HTMLParser
from pathlib import Path

from tinyfaces.evaluation.analysis import AnalysisOptions, analyze, finite
from tinyfaces.visualization.analysis import Picture, render_page
from tinyfaces.visualization.analysis.captions import CAPTIONS
from tinyfaces.visualization.analysis.pictures import PLOTS, TOP
from tinyfaces.visualization.analysis.tables import TABLES, table

sys.path.insert(0, str(Path(__file__).parents[1] / 'evaluation'))
from analysis_sets import small_set  # noqa: E402


class Reader(HTMLParser):
    """Collects what the page links to; fails on tags that do not match."""

    void = {'meta', 'img', 'br'}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.sources = [], [], [], []
        self.text = ''

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs['id']] if 'id' in attrs else []
        self.links += [attrs['href']] if 'href' in attrs else []
        self.sources += [attrs['src']] if 'src' in attrs else []
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def make_page(name='<b>one & "two"', warnings=()):
    truth, found = small_set()
    results, _ = analyze(found, truth, AnalysisOptions(6))
    content = finite(
        dict(
            protocol='WIDER FACE protocol, all 2 images',
            images='all 2 images',
            warnings=list(warnings),
            settings={
                setting:
                dict(
                    num_faces=truth.num_faces(setting), detectors={name: part})
                for setting, part in results.items()
            }))
    pictures = [
        Picture(setting, topic, f'{setting}-{topic}.png', f'{topic}'.encode())
        for setting in results for topic in PLOTS
    ] + [Picture('some', TOP, 'some-top.jpg', b'jpeg')]
    return render_page(content, pictures), pictures


def test_every_topic_has_a_caption_and_a_table():
    assert set(CAPTIONS) == {*PLOTS, TOP} == set(TABLES)


def test_every_picture_is_embedded_and_nothing_else_is_linked():
    page, pictures = make_page()
    reader = read(page)
    assert len(reader.sources) == len(pictures) == 17
    forms = dict(png='png', jpg='jpeg')
    expected = {
        f'data:image/{forms[picture.file_name[-3:]]};base64,' +
        base64.b64encode(picture.data).decode()
        for picture in pictures
    }
    assert set(reader.sources) == expected
    assert {link[1:] for link in reader.links} == set(reader.ids)
    assert all(link.startswith('#') for link in reader.links)
    assert 'http' not in page and 'url(' not in page and '<script' not in page


def test_names_are_escaped():
    page, _ = make_page(warnings=['<i>odd</i> & $title'])
    assert '<b>one' not in page and '<i>odd' not in page
    reader = read(page)
    assert '<b>one & "two"' in reader.text
    assert '<i>odd</i> & $title' in reader.text


def test_numbers_and_notes_stand_on_the_page():
    text = read(make_page()[0]).text
    assert 'setting some, 3 faces; all 2 images' in text
    assert 'setting all, 4 faces; all 2 images' in text
    assert 'none drawn: no pictures at hand' in text


def test_table_cells():
    text = table('c & d', ['a<'], [[None], [.12345], [1234], ['<x>']])
    for cell in ('c &amp; d', 'a&lt;', '>–<', '>0.123<', '>1,234<',
                 '>&lt;x&gt;<'):
        assert cell in text
    read(text)
