"""The host of WSGI applications (PEP 3333): what they are called with, and how their answers go out.

What Werkzeug's server holds too runs on both engines. An application here stands in the place of Flask's own, so that nothing of
Flask is between the test and the host.
"""
from __future__ import annotations

import contextlib
import http.client
import io
import os
import pathlib
import re
import statistics
import sys
import wsgiref.validate

import flask
import pytest
import werkzeug.exceptions
import werkzeug.wsgi

from raw_http import Connection, chunked
from starting import started

only_erlen = pytest.mark.only("erlen")
TEXT = [("Content-Type", "text/plain")]


@pytest.fixture
def host(app, socketio, serve):
    """Serves a WSGI application; gives the port."""
    def host(application):
        app.wsgi_app = application
        return serve(app, socketio).port

    return host


@pytest.fixture
def connect(host):
    """A connection to a WSGI application that is being served."""
    with contextlib.ExitStack() as stack:
        yield lambda application: stack.enter_context(Connection(host(application)))


def answering(*pieces, status="200 OK", headers=()):
    """An application that answers always the same."""
    def application(environ, start_response):
        start_response(status, [*TEXT, *headers])
        return list(pieces)

    return application


class Body:
    """An iterable that tells when it is closed."""

    def __init__(self, pieces, seen):
        self.pieces = iter(pieces)
        self.seen = seen

    def __iter__(self):
        return self.pieces

    def close(self):
        self.seen.put("closed")


def whole_body(environ):
    """The request's body, by reads of a size, as `wsgiref.validate` wants them."""
    length = environ.get("CONTENT_LENGTH")
    if length:
        return environ["wsgi.input"].read(int(length))
    return b"".join(iter(lambda: environ["wsgi.input"].read(4), b""))


# The specification, by the standard library's own judge (which refuses Werkzeug's `REMOTE_PORT`, a number).

def of_the_specification(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/unchanged":
        start_response("304 Not Modified", [("ETag", '"1"')])
        return []
    if path == "/echo":
        body = whole_body(environ)
        start_response("200 OK", [*TEXT, ("Content-Length", str(len(body)))])
        return [body]
    start_response("200 OK", TEXT)
    if path == "/stream":
        return (b"piece %d," % number for number in range(3))
    if path == "/file":
        return werkzeug.wsgi.wrap_file(environ, io.BytesIO(b"x" * 20_000))
    return [b"page"]


@only_erlen
@pytest.mark.parametrize(("line", "fields", "body", "status", "answer"), [
    ("GET /", (), b"", 200, b"page"),
    ("HEAD /", (), b"", 200, b""),
    ("GET /unchanged", (), b"", 304, b""),
    ("GET /stream", (), b"", 200, b"piece 0,piece 1,piece 2,"),
    ("GET /file", (), b"", 200, b"x" * 20_000),
    ("POST /echo", ("Content-Length: 5",), b"hello", 200, b"hello"),
    ("POST /echo", ("Transfer-Encoding: chunked",), chunked(b"hello ", b"you"), 200, b"hello you"),
])
def test_the_standard_librarys_judge_has_no_objection(connect, output, line, fields, body, status, answer):
    connection = connect(wsgiref.validate.validator(of_the_specification))
    assert connection.ask(line, *fields, body=body) == (status, answer)
    assert "AssertionError" not in output.text()


# The head.

def test_a_head_request_has_the_length_and_no_body(app, connect):
    app.add_url_rule("/page", "page", lambda: "the page")
    connection = connect(app.wsgi_app)
    connection.send_request("HEAD /page", "Connection: close")
    answer = connection.answer("HEAD")
    assert (answer.status, answer.headers["Content-Length"]) == (200, "8")
    assert connection.rest() == b""


@only_erlen
@pytest.mark.parametrize("headers", [(), [("Content-Length", "5")]])
def test_an_application_that_does_not_know_of_head_is_cut_short(connect, headers):
    connection = connect(answering(b"hel", b"lo", headers=headers))
    connection.send_request("HEAD /")
    assert connection.answer("HEAD").headers["Content-Length"] == dict(headers).get("Content-Length")
    assert connection.ask("GET /") == (200, b"hello"), "the next answer begins where it should"


@only_erlen
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("pieces", [(), (b"never",), (b"nev", b"er")])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_a_body_has_none(connect, method, status, pieces):
    connection = connect(answering(*pieces, status=status))
    connection.send_request(f"{method} /")
    answer = connection.answer(method)
    assert (answer.status, answer.headers["Content-Length"]) == (int(status[:3]), None)
    assert answer.headers["Transfer-Encoding"] is None
    connection.send_request(f"{method} /")
    assert connection.answer(method).status == int(status[:3]), "the next answer begins where it should"


@only_erlen
def test_what_is_unchanged_may_tell_its_length(connect):
    connection = connect(answering(status="304 Not Modified", headers=[("Content-Length", "8")]))
    for _ in range(2):
        connection.send_request("GET /")
        answer = connection.answer()
        assert (answer.status, answer.read()) == (304, b"")


def test_the_reason_is_the_applications(connect):
    connection = connect(answering(b"tea", status="299 Quite Fine"))
    connection.send_request("GET /")
    answer = connection.answer()
    assert (answer.status, answer.reason) == (299, "Quite Fine")


@pytest.mark.parametrize("values", [["a=1", "b=2; Path=/"], ["ä"]])
def test_headers_go_out_as_they_are(connect, values):
    connection = connect(answering(b"", headers=[("Set-Cookie", value) for value in values]))
    connection.send_request("GET /")
    assert connection.answer().headers.get_all("Set-Cookie") == values


@only_erlen
@pytest.mark.parametrize(("status", "headers"), [
    ("200 OK", [("X-Evil", "a\r\nSet-Cookie: b=1")]),
    ("200 OK", [("X Evil", "a")]),
    ("200 OK", [("X-Evil", "\N{SNOWMAN}")]),
    ("200 OK", [("Content-Length", "many")]),
    ("200 OK\r\nX-Evil: a", []),
    ("fine", []),
    ("101 Switching Protocols", []),
])
def test_a_head_that_is_none_is_the_applications_mistake(connect, output, status, headers):
    connection = connect(answering(b"never", status=status, headers=headers))
    connection.send_request("GET /")
    answer = connection.answer()
    assert (answer.status, answer.headers["X-Evil"]) == (500, None)
    output.until("ValueError")


def test_start_response_is_called_once(connect, seen):
    def application(environ, start_response):
        start_response("200 OK", TEXT)
        try:
            start_response("201 Created", TEXT)
        except AssertionError:
            seen.put("refused")
        return [b"first"]

    assert connect(application).ask("GET /") == (200, b"first")
    assert seen.next() == "refused"


def test_an_error_before_the_head_went_out_changes_it(connect):
    def application(environ, start_response):
        start_response("200 OK", [*TEXT, ("X-First", "1")])
        try:
            raise ValueError("too late for 200")
        except ValueError:
            start_response("503 Sorry", TEXT, sys.exc_info())
        return [b"sorry"]

    connection = connect(application)
    connection.send_request("GET /")
    answer = connection.answer()
    assert (answer.status, answer.headers["X-First"], answer.read()) == (503, None, b"sorry")


def test_an_error_after_the_head_went_out_is_raised_and_breaks_the_answer(connect, seen):
    def application(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"begun"
        error = ValueError("too late for all")
        try:
            raise error
        except ValueError:
            try:
                start_response("500 Sorry", TEXT, sys.exc_info())
            except ValueError as raised:
                seen.put(raised is error)
                raise

    connection = connect(application)
    connection.send_request("GET /")
    answer = connection.answer()
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    assert answer.status == 200 and seen.next() is True


# The body.

def test_write_comes_before_what_is_returned(connect):
    def application(environ, start_response):
        write = start_response("200 OK", TEXT)
        write(b"a")
        write(b"")
        write(b"b")
        return [b"c"]

    assert connect(application).ask("GET /") == (200, b"abc")


def test_a_body_of_nothing(connect):
    assert connect(answering()).ask("GET /") == (200, b"")


def test_a_piece_goes_out_while_the_next_one_is_made(connect, seen):
    def application(environ, start_response):
        start_response("200 OK", TEXT)
        yield b"first"
        seen.next()
        yield b"second"

    connection = connect(application)
    connection.send_request("GET /")
    answer = connection.answer()
    assert answer.read(5) == b"first"
    seen.put("go on")
    assert answer.read() == b"second"


@only_erlen
@pytest.mark.parametrize("pieces", [(b"hello you",), (b"hel", b"lo you"), (b"hello", b" you")])
def test_what_is_longer_than_announced_is_cut(connect, pieces):
    connection = connect(answering(*pieces, headers=[("Content-Length", "5")]))
    assert connection.ask("GET /") == (200, b"hello")
    assert connection.ask("GET /") == (200, b"hello")


@only_erlen
@pytest.mark.parametrize("pieces", [(), (b"",), (b"hello",), (b"hel", b"lo")])
def test_what_is_shorter_than_announced_ends_the_connection(connect, pieces):
    connection = connect(answering(*pieces, headers=[("Content-Length", "9")]))
    connection.send_request("GET /")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        connection.answer().read()


@only_erlen
def test_what_is_no_bytes_is_the_applications_mistake(connect, output):
    assert connect(answering("text")).ask("GET /")[0] == 500
    output.until("TypeError", "bytes")


def test_an_application_that_raises_is_answered_by_500(connect, output):
    def application(environ, start_response):
        raise LookupError("none of that")

    assert connect(application).ask("GET /")[0] == 500
    output.until("LookupError: none of that")


@only_erlen
def test_an_answer_that_fails_is_never_taken_for_a_whole_one(connect, seen):
    """Also where the client reads slowly, and the pieces before the failure are still under way."""
    piece = b"x" * 1_000_000

    def application(environ, start_response):
        start_response("200 OK", TEXT)
        for _ in range(20):
            yield piece
        raise LookupError("in the middle")

    connection = connect(application)
    connection.send_request("GET /")
    answer = connection.answer()
    with pytest.raises(http.client.IncompleteRead):
        answer.read()


# close().

def test_an_answer_is_closed_at_its_end(connect, seen):
    def application(environ, start_response):
        start_response("200 OK", TEXT)
        return Body([b"a", b"b"], seen)

    assert connect(application).ask("GET /") == (200, b"ab")
    assert seen.next() == "closed"


def test_an_answer_that_raises_is_closed(connect, seen):
    def pieces():
        yield b"a"
        raise LookupError("no second piece")

    def application(environ, start_response):
        start_response("200 OK", TEXT)
        return Body(pieces(), seen)

    connection = connect(application)
    connection.send_request("GET /")
    with pytest.raises(http.client.IncompleteRead):
        connection.answer().read()
    assert seen.next() == "closed"


def endless():
    while True:
        yield b"x" * 10_000


def test_an_answer_whose_client_goes_is_closed(connect, seen):
    def application(environ, start_response):
        start_response("200 OK", TEXT)
        return Body(endless(), seen)

    connection = connect(application)
    connection.send_request("GET /")
    assert connection.answer().read(100_000)
    connection.close()
    assert seen.next() == "closed"


def test_an_answer_that_waits_for_its_client_is_closed_when_that_goes(host, seen, eventually):
    produced = []

    def pieces():
        for piece in endless():
            produced.append(len(piece))
            yield piece

    def application(environ, start_response):
        start_response("200 OK", TEXT)
        return Body(pieces(), seen)

    with Connection(host(application), receive_buffer=4096) as connection:
        connection.send_request("GET /")
        assert connection.answer().status == 200
        eventually(lambda: produced)
    assert seen.next() == "closed"


@only_erlen
def test_an_answer_that_cannot_be_closed_has_gone_out_all_the_same(connect, output):
    class Stuck(Body):
        def close(self):
            raise LookupError("it does not close")

    def application(environ, start_response):
        start_response("200 OK", TEXT)
        return Stuck([b"a", b"b"], None)

    connection = connect(application)
    assert connection.ask("GET /") == (200, b"ab")
    output.until("LookupError: it does not close")
    assert connection.ask("GET /") == (200, b"ab")


# Clients that neither send nor take anything.

@pytest.fixture
def impatient(app, socketio):
    """A connection to a WSGI application whose clients have little time; the small buffers of both are soon full."""
    with contextlib.ExitStack() as stack:
        def impatient(application):
            [served] = socketio._serving.begin(app, app)
            listener = served.engine.listen("127.0.0.1", 0, application, patience=0.2)
            socketio._serving.listens(listener, served)
            stack.callback(socketio._serving.over, listener, lambda: 0.0)
            stack.callback(listener.stop, grace=0)
            return stack.enter_context(Connection(listener.port, receive_buffer=4096))

        yield impatient


@only_erlen
def test_a_client_that_sends_nothing_of_its_body_is_taken_to_have_gone(engine, impatient, seen):
    def application(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            seen.put(str(error))
            raise

    connection = impatient(application)
    connection.send_request("POST /", "Content-Length: 10", body=b"half")
    assert "too long" in seen.next()
    connection.rest()


@only_erlen
@pytest.mark.parametrize("pieces", [lambda: endless(), lambda: iter([b"x" * 50_000_000])], ids=["many", "one large"])
def test_a_client_that_takes_nothing_of_its_answer_is_taken_to_have_gone(engine, impatient, seen, pieces):
    def application(environ, start_response):
        start_response("200 OK", TEXT)
        return Body(pieces(), seen)

    connection = impatient(application)
    connection.send_request("GET /")
    assert seen.next() == "closed"


# wsgi.input.

def reading(read, seen):
    """An application that puts aside what `read` gets from the input."""
    def application(environ, start_response):
        seen.put(read(environ["wsgi.input"]))
        start_response("200 OK", TEXT)
        return [b""]

    return application


LINES = b"one\ntwo\n\nthree"


@pytest.mark.parametrize(("read", "result"), [
    (lambda file: [file.read(3), file.read(2), file.read(9)], [b"one", b"\nt", b"wo\n\nthree"]),
    (lambda file: [file.read(0), file.readline(), file.readline(2), file.readline()], [b"", b"one\n", b"tw", b"o\n"]),
    (lambda file: file.read(len(LINES)), LINES),
])
def test_the_input_is_read_by_size_and_line(connect, seen, read, result):
    assert connect(reading(read, seen)).ask("POST /", f"Content-Length: {len(LINES)}", body=LINES)[0] == 200
    assert seen.next() == result


@only_erlen
@pytest.mark.parametrize("fields_and_body", [
    ([f"Content-Length: {len(LINES)}"], LINES),
    (["Transfer-Encoding: chunked"], chunked(*(bytes([byte]) for byte in LINES))),
])
@pytest.mark.parametrize(("read", "result"), [
    (lambda file: [file.read(), file.read(), file.read(5), file.readline()], [LINES, b"", b"", b""]),
    (lambda file: [file.read(1000), file.read(1)], [LINES, b""]),
    (lambda file: [file.read(-1)], [LINES]),
    (lambda file: list(file), [b"one\n", b"two\n", b"\n", b"three"]),
    (lambda file: file.readlines(), [b"one\n", b"two\n", b"\n", b"three"]),
    (lambda file: file.readlines(5), [b"one\n", b"two\n"]),
])
def test_the_input_ends_with_the_body(connect, seen, fields_and_body, read, result):
    fields, body = fields_and_body
    assert connect(reading(read, seen)).ask("POST /", *fields, body=body)[0] == 200
    assert seen.next() == result


@only_erlen
@pytest.mark.parametrize("body", [b"\n" * 400_000, b"x" * 32_000_000], ids=["many lines", "one line"])
def test_lines_cost_what_they_are_long(connect, seen, body):
    """What is searched, or copied, once a line or once a piece of the connection's takes minutes here."""
    application = reading(lambda file: sum(len(line) for line in file), seen)
    connection = connect(application)
    assert connection.ask("POST /", f"Content-Length: {len(body)}", body=body)[0] == 200
    assert seen.next() == len(body)


@only_erlen
def test_a_request_without_a_body_has_an_empty_input(connect, seen):
    assert connect(reading(lambda file: file.read(), seen)).ask("GET /")[0] == 200
    assert seen.next() == b""


@only_erlen
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_body_that_nobody_reads_does_not_end_the_connection(connect, size):
    connection = connect(answering(b"unread"))
    for _ in range(3):
        assert connection.ask("POST /", f"Content-Length: {size}", body=b"x" * size) == (200, b"unread")


def test_the_answer_to_a_large_body_that_nobody_reads_arrives(connect):
    connection = connect(answering(b"too large", status="413 Content Too Large"))
    size = 8_000_000
    assert connection.ask("POST /", f"Content-Length: {size}", body=b"x" * size) == (413, b"too large")


@only_erlen
def test_an_input_that_was_kept_reads_nothing_of_the_next_request(connect, seen):
    kept = []

    def application(environ, start_response):
        kept.append(environ["wsgi.input"])
        seen.put([file.read(5) for file in kept])
        start_response("200 OK", TEXT)
        return [b""]

    connection = connect(application)
    connection.ask("POST /", "Content-Length: 7", body=b"request")
    connection.ask("POST /", "Content-Length: 7", body=b"another")
    assert [seen.next(), seen.next()] == [[b"reque"], [b"", b"anoth"]]


def test_a_client_that_goes_before_its_body_is_whole_is_said_to_be_disconnected(app, connect, seen):
    @app.route("/", methods=["POST"])
    def index():
        try:
            return flask.request.get_data()
        except werkzeug.exceptions.ClientDisconnected:
            seen.put("gone")
            raise

    connection = connect(app.wsgi_app)
    connection.send_request("POST /", "Content-Length: 10", body=b"half")
    connection.close()
    assert seen.next() == "gone"


def test_a_client_is_told_to_go_on_before_it_sends_its_body(connect):
    connection = connect(of_the_specification)
    connection.send_request("POST /echo", "Content-Length: 5", "Expect: 100-continue")
    assert connection.file.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert connection.file.readline() == b"\r\n"
    connection.send(b"hello")
    assert connection.answer().read() == b"hello"


@only_erlen
def test_a_client_is_not_told_to_go_on_where_nobody_reads(connect):
    connection = connect(answering(b"no", status="403 Forbidden"))
    connection.send_request("POST /", "Content-Length: 5", "Expect: 100-continue")
    assert connection.file.readline() == b"HTTP/1.1 403 Forbidden\r\n"


UPLOADS = """
import flask
from erlen import SocketIO

app = flask.Flask(__name__)

@app.post("/read")
def read():
    return str(sum(len(piece) for piece in iter(lambda: flask.request.stream.read(65536), b"")))

@app.post("/unread")
def unread():
    return "0"

@app.get("/peak")
def peak():
    with open("/proc/self/status") as status:
        return next(line.split()[1] for line in status if line.startswith("VmHWM:"))

SocketIO(app).run(app, port=0)
"""


@only_erlen
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a process has held at most is read from /proc")
@pytest.mark.parametrize("path", ["/read", "/unread"])
def test_an_upload_is_not_held_in_memory(engine, tmp_path, path):
    (tmp_path / "uploads.py").write_text(UPLOADS)
    megabytes = 150
    with started(sys.executable, "uploads.py", folder=tmp_path) as program, Connection(program.port()) as connection:
        before = int(connection.ask("GET /peak")[1])
        connection.send_request(f"POST {path}", f"Content-Length: {megabytes * 2**20}")
        for _ in range(megabytes):
            connection.send(b"x" * 2**20)
        assert connection.answer("POST").read() in (b"%d" % (megabytes * 2**20), b"0")
        grown = int(connection.ask("GET /peak")[1]) - before
    assert grown < 30 * 1024, f"{grown} KiB for {megabytes} MiB"


# What passes between the threads.

ON_ONE_CORE = """
import os
import flask
from erlen import SocketIO

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
app = flask.Flask(__name__)

@app.get("/")
def page():
    return "page"

SocketIO(app).run(app, port=0)
"""


def times_slept(process):
    """How often the threads that answer pages have let go of a processor to wait."""
    slept = 0
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        # It may end while it is looked at.
        with contextlib.suppress(OSError):
            if (task / "comm").read_text().startswith(("erlen-shard", "erlen-wsgi")):
                slept += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M).group(1))
    return slept


@only_erlen
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what threads do is read from /proc")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="the client has to have a core of its own")
def test_threads_on_one_core_hand_over_the_requests_of_a_moment_together(engine, tmp_path):
    (tmp_path / "one_core.py").write_text(ON_ONE_CORE)
    waves, connections = 20, 16
    with contextlib.ExitStack() as stack:
        program = stack.enter_context(started(sys.executable, "one_core.py", folder=tmp_path))
        clients = [stack.enter_context(Connection(program.port())) for _ in range(connections)]
        assert all(client.ask("GET /") == (200, b"page") for client in clients)
        slept = []
        for _ in range(waves):
            before = times_slept(program.process)
            for client in clients:
                client.send_request("GET /")
            assert all(client.answer().read() == b"page" for client in clients)
            slept.append(times_slept(program.process) - before)
    # Where the client is kept from sending, the requests of a wave are of several moments: of most waves they are not.
    assert statistics.median(slept) < connections / 2, f"{slept} times for {connections} requests each"


# The framing of requests.

@only_erlen
def test_requests_in_one_packet_are_answered_in_order(connect):
    def application(environ, start_response):
        start_response("200 OK", TEXT)
        return [environ["PATH_INFO"].encode(), whole_body(environ)]

    connection = connect(application)
    length = "Content-Length: 4\r\n\r\n"
    heads = [f"POST /{number} HTTP/1.1\r\nHost: here\r\n{length}" for number in range(20)]
    connection.send("".join(f"{head}{number:04}" for number, head in enumerate(heads)).encode())
    answers = [connection.answer().read() for _ in heads]
    assert answers == [f"/{number}{number:04}".encode() for number in range(20)]


@only_erlen
@pytest.mark.parametrize("fields", [
    ["Content-Length: 3", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Content-Length: 3"],
])
def test_of_two_lengths_the_chunks_are_right_and_the_connection_ends(connect, seen, fields):
    def application(environ, start_response):
        seen.put((environ.get("CONTENT_LENGTH"), whole_body(environ)))
        start_response("200 OK", TEXT)
        return [b""]

    connection = connect(application)
    connection.ask("POST /", *fields, body=chunked(b"GET /smuggled HTTP/1.1\r\n\r\n"))
    assert seen.next() == (None, b"GET /smuggled HTTP/1.1\r\n\r\n")
    assert connection.rest() == b""


@only_erlen
@pytest.mark.parametrize("fields", [
    ["Content-Length: 3", "Content-Length: 4"],
    ["Content-Length: +3"],
    ["Content-Length: 3, 3"],
    ["Transfer-Encoding: gzip"],
    ["Transfer-Encoding: chunked, identity"],
])
def test_a_length_that_is_none_is_refused_and_ends_the_connection(connect, seen, fields):
    connection = connect(reading(lambda file: file.read(), seen))
    connection.send_request("POST /", *fields, body=b"abc")
    assert connection.answer().status == 400
    assert connection.rest() == b""
    assert seen.all() == []


@only_erlen
@pytest.mark.parametrize("body", [b"zz\r\nhello", b"5\r\nhelloXX", b"ffffffffffffffffff\r\n", b"-1\r\n"])
def test_chunks_that_are_none_end_the_request(app, connect, seen, body):
    @app.route("/", methods=["POST"])
    def index():
        try:
            return flask.request.get_data()
        except OSError as error:
            seen.put(error)
            raise

    connection = connect(app.wsgi_app)
    connection.send_request("POST /", "Transfer-Encoding: chunked", body=body)
    assert isinstance(seen.next(), werkzeug.exceptions.ClientDisconnected)
    connection.rest()
    with Connection(connection.port) as other:
        assert other.ask("POST /", "Content-Length: 2", body=b"ok") == (200, b"ok")


@only_erlen
def test_a_client_of_http_1_0_gets_no_chunks(connect, seen):
    def application(environ, start_response):
        seen.put(environ["SERVER_PROTOCOL"])
        start_response("200 OK", TEXT)
        return (piece for piece in (b"one ", b"two"))

    connection = connect(application)
    connection.send_request("GET / HTTP/1.0")
    answer = connection.answer()
    assert answer.headers["Transfer-Encoding"] is None
    assert answer.read() == b"one two"
    assert seen.next() == "HTTP/1.0"


# The environ.

@pytest.fixture
def environ_of(connect):
    """The environ of a request."""
    def environ_of(line, *fields, body=b""):
        kept = []

        def application(environ, start_response):
            kept.append(environ)
            start_response("200 OK", TEXT)
            return [b""]

        environ_of.connection = connect(application)
        assert environ_of.connection.ask(line, *fields, body=body)[0] == 200
        return kept[0]

    return environ_of


def test_the_environ_says_who_and_where(environ_of):
    environ = environ_of("GET /a/b?c=d")
    here, peer = (environ_of.connection.socket.getpeername(), environ_of.connection.socket.getsockname())
    assert type(environ) is dict
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (here[0], str(here[1]))
    assert (environ["REMOTE_ADDR"], str(environ["REMOTE_PORT"])) == (peer[0], str(peer[1]))
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("", "/a/b", "c=d")
    assert (environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"]) == ("GET", "HTTP/1.1")
    assert (environ["HTTP_HOST"], environ["wsgi.url_scheme"]) == ("here", "http")
    assert (environ["wsgi.version"], environ["wsgi.multithread"], environ["wsgi.run_once"]) == ((1, 0), True, False)


@pytest.mark.parametrize(("target", "path", "query"), [
    ("/", "/", ""),
    ("/a%20b%2Fc", "/a b/c", ""),
    ("/%C3%A4", "/\u00c3\u00a4", ""),
    ("/a?b=%C3%A4&c=1+2?", "/a", "b=%C3%A4&c=1+2?"),
    ("/50%", "/50%", ""),
    ("/%zz%4", "/%zz%4", ""),
    ("/%+f%-1", "/%+f%-1", ""),
    ("/to/http://other.example/x", "/to/http://other.example/x", ""),
    ("http://other.example/x?y", "/x", "y"),
    ("http://other.example?y", "/", "y"),
])
def test_the_path_is_decoded_and_the_query_is_not(engine, environ_of, target, path, query):
    environ = environ_of(f"GET {target}")
    expected = engine.either(upstream="", erlen="/") if target == "http://other.example?y" else path
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (expected, query)


@only_erlen
def test_two_slashes_are_two(environ_of):
    assert environ_of("GET //double//slash")["PATH_INFO"] == "//double//slash"


def test_the_host_of_a_whole_url_is_the_requests(environ_of):
    assert environ_of("GET http://other.example:81/x")["HTTP_HOST"] == "other.example:81"


def test_headers_are_named_as_in_cgi(environ_of):
    environ = environ_of("POST /", "Content-Type: text/x", "Content-Length: 2", "X-One: a", "x-one: b", "Cookie: c=d",
                         "Accept: */*", "X-Latin: \u00e4", body=b"ok")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/x", "2")
    assert "HTTP_CONTENT_TYPE" not in environ and "HTTP_CONTENT_LENGTH" not in environ
    assert (environ["HTTP_X_ONE"], environ["HTTP_COOKIE"], environ["HTTP_ACCEPT"]) == ("a,b", "c=d", "*/*")
    assert environ["HTTP_X_LATIN"] == "\u00e4"


def test_a_header_with_an_underscore_cannot_pass_for_another(environ_of):
    environ = environ_of("GET /", "X_Forwarded_For: 1.2.3.4")
    assert "HTTP_X_FORWARDED_FOR" not in environ


@only_erlen
def test_two_cookie_headers_are_one_list_and_a_proxy_header_is_none(environ_of):
    environ = environ_of("GET /", "Cookie: a=1", "Cookie: b=2", "Proxy: evil.example")
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert "HTTP_PROXY" not in environ


# Files.

@pytest.fixture
def download(app, connect, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    app.add_url_rule("/file", "file", lambda: flask.send_file(path))
    return connect(app.wsgi_app)


def test_a_file_is_sent_whole(download):
    download.send_request("GET /file")
    answer = download.answer()
    assert answer.headers["Content-Length"] == "256000"
    assert answer.read() == bytes(range(256)) * 1000


def test_a_part_of_a_file_is_sent(download):
    download.send_request("GET /file", "Range: bytes=254-258")
    answer = download.answer()
    assert (answer.status, answer.headers["Content-Range"]) == (206, "bytes 254-258/256000")
    assert answer.read() == bytes([254, 255, 0, 1, 2])


def test_a_part_that_a_file_does_not_have_is_refused(download):
    assert download.ask("GET /file", "Range: bytes=256000-")[0] == 416
