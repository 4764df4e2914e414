"""The blueprint: the form with the name and the room, and the chat's page."""
from __future__ import annotations

from flask import Blueprint, redirect, request, session, url_for

main = Blueprint("main", __name__)

from . import events  # noqa: F401  (the events register themselves)


@main.route("/", methods=["GET", "POST"])
def index():
    if request.method == "GET":
        return "your name, and the room?"
    session["name"] = request.form["name"]
    session["room"] = request.form["room"]
    return redirect(url_for(".chat"))


@main.route("/chat")
def chat():
    if "" in (session.get("name", ""), session.get("room", "")):
        return redirect(url_for(".index"))
    return f"{session['name']} in {session['room']}"
