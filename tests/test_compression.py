"""Answers made for one user travel compressed; what streams, as media do, travels as it is and can be asked for in ranges."""

import gzip

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from webapp.compress import CompressAnswers


@pytest.mark.django_db
def test_a_page_is_compressed_for_those_who_read_that(client: Client, static_files: None) -> None:
    plain = client.get("/login/")
    packed = client.get("/login/", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain and packed["Content-Encoding"] == "gzip"
    assert b"Log in" in gzip.decompress(packed.content)
    assert len(packed.content) < len(plain.content)


def test_what_streams_is_left_alone() -> None:
    request = RequestFactory().get("/", headers={"Accept-Encoding": "gzip"})
    packs = CompressAnswers(lambda _request: HttpResponse())
    media = packs.process_response(request, StreamingHttpResponse([b"a" * 5000]))
    page = packs.process_response(request, HttpResponse(b"a" * 5000))
    assert "Content-Encoding" not in media.headers
    assert page.headers["Content-Encoding"] == "gzip"
