"""`async def` handlers: one loop for all of them, whose thread may wait for nobody, and what they do that has others handled."""
from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import threading

import flask
import pytest

from engines import DEADLINE

pytestmark = pytest.mark.only("erlen")


@pytest.fixture
def live(app, socketio, serve):
    """With an async handler that shows whether the loop is alive."""
    @socketio.on("alive")
    async def alive():
        await asyncio.sleep(0)
        return "alive"

    return serve(app, socketio)


def still_alive(live):
    return live.websocket().ask("alive") == '["alive"]'


async def a_while():
    """Waits for something that the loop does."""
    await asyncio.get_running_loop().run_in_executor(None, int)


@pytest.fixture(params=["at once", "after a while"])
def pause(request):
    """What an async handler does first."""
    async def pause():
        if request.param == "after a while":
            await a_while()

    return pause


def tell_why(socketio, seen, pause=a_while):
    """Has an async disconnect handler put the reason aside."""
    @socketio.on("disconnect")
    async def gone(reason):
        await pause()
        seen.put(reason)


def test_an_async_handler_disconnects_its_client(sio_lib, socketio, live, seen, pause, transport):
    @socketio.on("bye")
    async def bye():
        await pause()
        sio_lib.disconnect()

    @socketio.on("disconnect")
    async def gone(reason):
        await pause()
        seen.put((flask.request.sid, reason))

    client = live.client(transport)
    client.emit("bye")
    assert client.next() == "41"
    assert seen.next() == (client.sid, "server disconnect")
    assert still_alive(live)
    assert seen.all() == []


def test_an_async_method_disconnects_its_client(sio_lib, socketio, live, seen, pause):
    class Methods(sio_lib.Namespace):
        async def on_bye(self):
            await pause()
            self.disconnect(flask.request.sid)

        async def on_disconnect(self, reason):
            await pause()
            seen.put((flask.request.namespace, reason))

    socketio.on_namespace(Methods("/n"))
    live.websocket("/n").emit("bye", namespace="/n")
    assert seen.next() == ("/n", "server disconnect")
    assert still_alive(live)


def test_an_async_handler_of_the_server_object_disconnects_its_client(socketio, live, seen, pause):
    @socketio.server.on("bye")
    async def bye(sid):
        await pause()
        socketio.server.disconnect(sid)

    @socketio.server.on("disconnect")
    async def gone(sid, reason):
        await pause()
        seen.put((sid, reason))

    client = live.websocket()
    client.emit("bye")
    assert seen.next() == (client.sid, "server disconnect")
    assert still_alive(live)


def test_an_async_handler_disconnects_everybody(sio_lib, socketio, live, seen, pause):
    @socketio.on("bye")
    async def bye():
        for sid, _ in list(socketio.server.manager.get_participants("/", None)):
            sio_lib.disconnect(sid)

    @socketio.on("disconnect")
    async def gone(reason):
        await pause()
        sio_lib.emit("left", broadcast=True)
        seen.put((flask.request.sid, reason))

    clients = [live.websocket() for _ in range(5)]
    clients[2].emit("bye")
    assert sorted(seen.next() for _ in clients) == sorted((client.sid, "server disconnect") for client in clients)
    assert still_alive(live)


def test_an_async_handler_of_errors_sees_what_a_disconnect_handler_raises(sio_lib, socketio, live, seen, pause):
    @socketio.on("bye")
    async def bye():
        sio_lib.disconnect()
        return "ended"

    @socketio.on("disconnect")
    def gone(reason):
        raise ValueError("in the disconnect handler")

    @socketio.on_error_default
    async def look(error):
        await pause()
        seen.put((str(error), flask.request.event["message"]))

    live.websocket().emit("bye")
    assert seen.next() == ("in the disconnect handler", "disconnect")
    assert still_alive(live)
    assert seen.all() == []


def test_the_async_error_method_sees_what_a_disconnect_handler_raises(sio_lib, socketio, live, seen, pause):
    class Methods(sio_lib.Namespace):
        async def on_bye(self):
            sio_lib.disconnect()

        async def on_disconnect(self, reason):
            await pause()
            raise ValueError("in the disconnect handler")

        async def error(self, error):
            await pause()
            seen.put(str(error))

    socketio.on_namespace(Methods("/n"))
    live.websocket("/n").emit("bye", namespace="/n")
    assert seen.next() == "in the disconnect handler"
    assert still_alive(live)
    assert seen.all() == []


def test_the_context_of_the_disconnect_handler_is_there_until_it_has_run(sio_lib, app, socketio, live, seen):
    @app.teardown_request
    def teardown(error):
        seen.put(("teardown", flask.request.event["message"]))

    @socketio.on("connect")
    def connect():
        flask.session["name"] = "me"
        sio_lib.join_room("r")

    def context():
        return flask.request.event["message"], flask.g.mark, flask.session["name"], flask.current_app.name

    @socketio.on("bye")
    async def bye():
        # As on threads, the disconnect handler runs in the application context of its caller.
        flask.g.mark = "caller"
        sio_lib.disconnect()
        seen.put(("caller", *context(), sio_lib.rooms()))
        go.set()

    @socketio.on("disconnect")
    async def gone(reason):
        await asyncio.get_running_loop().run_in_executor(None, go.wait, DEADLINE)
        rooms = sorted(sio_lib.rooms()) == sorted([flask.request.sid, "r"])
        seen.put(("gone", *context(), rooms))

    go = threading.Event()
    live.websocket().emit("bye")
    assert [seen.next() for _ in range(5)] == [
        ("teardown", "connect"),
        ("caller", "bye", "caller", "me", app.name, []),
        ("gone", "disconnect", "caller", "me", app.name, True),
        ("teardown", "disconnect"),
        ("teardown", "bye"),
    ]


def test_a_disconnect_handler_that_waits_for_nothing_has_run_when_disconnect_returns(sio_lib, socketio, live, seen):
    @socketio.on("bye")
    async def bye():
        seen.put("before")
        sio_lib.disconnect()
        seen.put(("after", sio_lib.rooms(), flask.request.event["message"]))

    socketio.on("disconnect")(lambda reason: seen.put(reason))
    live.websocket().emit("bye")
    assert [seen.next() for _ in range(3)] == ["before", "server disconnect", ("after", [], "bye")]


def test_an_async_disconnect_handler_has_run_when_disconnect_in_another_thread_returns(sio_lib, socketio, live, seen):
    @socketio.on("bye")
    async def bye():
        await asyncio.to_thread(sio_lib.disconnect)
        seen.put(("after", flask.request.event["message"]))

    tell_why(socketio, seen)
    live.websocket().emit("bye")
    assert [seen.next(), seen.next()] == ["server disconnect", ("after", "bye")]


def test_an_event_is_over_when_the_disconnect_handler_that_it_called_has_run(sio_lib, app, socketio, seen):
    @socketio.on("bye")
    async def bye():
        sio_lib.disconnect()
        seen.put("bye")

    tell_why(socketio, seen)
    socketio.test_client(app).emit("bye")
    assert seen.all() == ["bye", "server disconnect"]


def test_what_it_raises_and_nobody_handles_is_raised_by_the_event(sio_lib, app, socketio):
    @socketio.on("bye")
    async def bye():
        sio_lib.disconnect()

    @socketio.on("disconnect")
    async def gone(reason):
        await a_while()
        raise ValueError("in the disconnect handler")

    with pytest.raises(ValueError, match="in the disconnect handler"):
        socketio.test_client(app).emit("bye")


def test_a_task_of_an_async_handler_disconnects_a_client_when_the_handler_has_returned(sio_lib, socketio, live, seen,
                                                                                       output):
    go, tasks = threading.Event(), []

    @socketio.on("bye")
    async def bye():
        async def later():
            await asyncio.get_running_loop().run_in_executor(None, go.wait, DEADLINE)
            sio_lib.disconnect()

        tasks.append(asyncio.ensure_future(later()))
        return "begun"

    @socketio.on("disconnect")
    async def gone(reason):
        await a_while()
        seen.put(reason)
        raise ValueError("in the disconnect handler")

    assert live.websocket().ask("bye") == '["begun"]'
    go.set()
    assert seen.next() == "server disconnect"
    output.until("in the disconnect handler")
    assert still_alive(live)


def test_an_unmanaged_session_is_saved_after_an_async_disconnect_handler(sio_lib, app, serve, seen):
    class Interface(flask.sessions.SecureCookieSessionInterface):
        def save_session(self, app, session, response):
            seen.put(dict(session))

    app.session_interface = Interface()
    socketio = sio_lib.SocketIO(app, manage_session=False)

    @socketio.on("bye")
    async def bye():
        sio_lib.disconnect()

    @socketio.on("disconnect")
    async def gone(reason):
        await a_while()
        flask.session["left"] = reason

    serve(app, socketio).websocket().emit("bye")
    assert seen.next() == {"left": "server disconnect"}


@pytest.mark.parametrize("name", ["emit", "send"])
def test_an_async_handler_emits_with_an_async_callback(sio_lib, socketio, live, seen, pause, name):
    @socketio.on("e")
    async def handle():
        await pause()
        getattr(sio_lib, name)("question", callback=answered)
        return "asked"

    async def answered(value):
        await pause()
        seen.put((value, flask.request.sid))
        sio_lib.emit("thanks")

    client = live.websocket()
    client.emit("e")
    assert client.asked().startswith("42")
    client.answer('["answer"]')
    assert seen.next() == ("answer", client.sid)
    assert client.until('42["thanks"]') == []
    assert still_alive(live)


def test_an_async_callback_disconnects_its_client(sio_lib, socketio, live, seen, pause):
    @socketio.on("e")
    async def handle():
        sio_lib.emit("question", callback=answered)

    async def answered():
        sio_lib.disconnect()

    tell_why(socketio, seen, pause)
    client = live.websocket()
    client.emit("e")
    client.asked()
    client.answer("[]")
    assert seen.next() == "server disconnect"
    assert still_alive(live)


def test_a_call_in_a_thread_lets_the_other_async_handlers_run(sio_lib, socketio, live):
    @socketio.on("e")
    async def handle():
        return await asyncio.to_thread(sio_lib.call, "question", timeout=DEADLINE)

    client = live.websocket()
    client.emit("e", ack=5)
    assert client.asked() == '42["question"]'
    assert still_alive(live)
    client.answer('["answer"]')
    assert client.next() == '435["answer"]'


@pytest.fixture(params=["function", "method", "class"])
def acall(request, sio_lib, socketio):
    """An event whose async handler awaits the answer of its own client, by each of the three; what the test adds are its keywords."""
    keywords = {"timeout": DEADLINE}

    class Methods(sio_lib.Namespace):
        async def on_e(self):
            sid = flask.request.sid
            if request.param == "class":
                answer = await self.acall("question", ("a", 1), to=sid, **keywords)
            elif request.param == "method":
                answer = await socketio.acall("question", ("a", 1), to=sid, namespace="/n", **keywords)
            else:
                answer = await sio_lib.acall("question", ("a", 1), **keywords)
            return [answer, flask.request.sid == sid]

    socketio.on_namespace(Methods("/n"))
    return keywords


@pytest.mark.parametrize(("answer", "returned"), [("[]", "null"), ('["x"]', '"x"'), ('["x",1]', '["x",1]')])
def test_an_answer_that_is_awaited_is_that_of_a_call_and_others_run_meanwhile(live, acall, answer, returned):
    client = live.websocket("/n")
    client.emit("e", namespace="/n", ack=5)
    assert client.asked() == '42/n,["question","a",1]'
    assert still_alive(live)
    client.answer(answer)
    assert client.next() == f"43/n,5[[{returned},true]]"


def test_many_wait_for_answers_at_one_time(sio_lib, socketio, live):
    # More than threads of the loop's executor.
    @socketio.on("e")
    async def handle():
        return await sio_lib.acall("question", timeout=DEADLINE)

    clients = [live.websocket() for _ in range(50)]
    for client in clients:
        client.emit("e", ack=5)
    for client in clients:
        assert client.asked() == '42["question"]'
    for client in clients:
        client.answer('["answer"]')
        assert client.next() == '435["answer"]'


@pytest.mark.parametrize("to", ["itself", "nobody"])
def test_an_answer_that_is_awaited_and_does_not_come_is_the_timeout_of_a_call(engine, sio_lib, socketio, live, to, seen):
    @socketio.on("e")
    async def handle():
        target = flask.request.sid if to == "itself" else "nobody"
        try:
            # Nobody there has not to be waited for.
            await sio_lib.acall("question", to=target, timeout=0.01 if to == "itself" else 10 * DEADLINE)
        except engine.exceptions.TimeoutError:
            seen.put("in time")

    client = live.websocket()
    client.emit("e")
    assert seen.next() == "in time"
    if to == "itself":
        client.asked()
        client.answer('["too late"]')
    assert still_alive(live)


@pytest.mark.parametrize("ask", ["function", "method", "class"])
def test_a_call_in_an_async_handler_gets_its_answer_and_the_log_says_whom_it_holds_up(sio_lib, socketio, live, output,
                                                                                      monkeypatch, ask):
    monkeypatch.setattr(sys.modules["erlen.aio"], "_warned", False)

    class Methods(sio_lib.Namespace):
        async def on_e(self):
            sid = flask.request.sid
            if ask == "class":
                return self.call("question", to=sid, timeout=DEADLINE)
            if ask == "method":
                return socketio.call("question", to=sid, namespace="/n", timeout=DEADLINE)
            return sio_lib.call("question", timeout=DEADLINE)

    socketio.on_namespace(Methods("/n"))
    client = live.websocket("/n")
    client.emit("e", namespace="/n", ack=5)
    assert client.asked() == '42/n,["question"]'
    client.answer('["answer"]')
    assert client.next() == '43/n,5["answer"]'
    mend = {"function": "await acall(", "method": "await socketio.acall(", "class": "await self.acall("}[ask]
    output.until("holds up all other async handlers", mend)
    assert still_alive(live)


@pytest.mark.parametrize("where", ["handler", "task"])
def test_an_async_handler_that_calls_sys_exit_ends_no_other(socketio, live, where):
    tasks = []

    @socketio.on("exit")
    async def leave():
        async def task():
            sys.exit(3)

        if where == "task":
            tasks.append(asyncio.ensure_future(task()))
            await a_while()
        else:
            sys.exit(3)

    live.websocket().emit("exit")
    for _ in range(3):
        assert still_alive(live)


@pytest.mark.parametrize("returned", ["coroutine", "awaitable"])
def test_whatever_can_be_awaited_is_awaited(socketio, live, returned):
    class Awaitable:
        def __await__(self):
            return a_while().__await__()

    @socketio.on("connect", namespace="/n")
    def connect():
        async def refuse():
            await Awaitable()
            return False

        class Refuse:
            def __await__(self):
                return refuse().__await__()

        return refuse() if returned == "coroutine" else Refuse()

    assert live.websocket(namespace=None).connect("/n").startswith("44/n,")


@pytest.mark.parametrize("method", ["def", "async def"])
@pytest.mark.parametrize("answer", ["return", "drop"])
def test_an_async_trigger_event_whose_connect_raises_lets_nobody_in(sio_lib, socketio, live, method, answer):
    class Methods(sio_lib.Namespace):
        async def trigger_event(self, event, *args):
            result = super().trigger_event(event, *args)
            return result if answer == "return" else None

    def connect(self):
        raise ValueError("not in")

    async def connect_async(self):
        await a_while()
        raise ValueError("not in")

    Methods.on_connect = connect if method == "def" else connect_async
    socketio.on_namespace(Methods("/n"))
    socketio.on_error_default(lambda error: True)
    assert live.websocket(namespace=None).connect("/n") == '44/n,{"message":"Connection rejected by server"}'
    assert still_alive(live)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_the_child_of_a_process_with_async_handlers_may_have_some_of_its_own(app, socketio, live, sio_lib):
    assert still_alive(live)

    def serve():
        child = sio_lib.SocketIO(app)
        child.on("alive")(alive)
        assert child.test_client(app).emit("alive", callback=True) == "alive"

    async def alive():
        await asyncio.sleep(0)
        return "alive"

    process = multiprocessing.get_context("fork").Process(target=serve)
    process.start()
    process.join(DEADLINE)
    process.kill()
    assert process.exitcode == 0
