'''The console: web pages where people decide. ``suishoupai console`` serves it.

Building a page
---------------
A page module ``bot/console/NAME.py`` defines::

    NAV = (NavEntry("/leads", "Leads", frozenset({Role.LEAD_REVIEWER, Role.OPERATOR})),)   # () where it has no entry

    def routes(parts: Parts) -> list[BaseRoute]:
        return [Route("/leads", listing), Route("/leads/{ref}", move, methods=["POST"])]

    @require(Role.LEAD_REVIEWER, Role.OPERATOR)        # no role named: any signed-in person; @everyone(): no sign-in
    def listing(request: Request) -> Response:         # a plain function; it runs in a thread, so SQL may block
        parts, person, _ = parts_of(request), current(request), words(request)
        with parts.store.read() as tx:
            found = leads.listing(tx)
        return render(request, "leads.html", leads=found)

    @require(Role.LEAD_REVIEWER)
    def move(request: Request) -> Response:            # the CSRF token was checked; fields are in form_of(request)
        ...
        with parts.store.write("console.lead") as tx:
            ...; audit.append(tx, who=person.login, what="lead.moved", object=...)
        return go(request, "/leads", _("The lead was moved."))

and its name stands in ``app.PAGES``. Templates are ``templates/NAME.html`` (or ``NAME_*.html``), begin with
``{% extends "base.html" %}``, fill the blocks ``title`` and ``main`` (and ``scripts``), and put ``{{ csrf_field(csrf) }}`` from
``{% from "forms.html" import csrf_field %}`` into each POST form. ``require(..., max_body=BYTES)`` admits files.

* Errors: raise ``NotFound``, ``BadInput`` or ``Forbidden`` with translated words; the app answers 404, 400, 403 with a page.
* Limits: ``current(request).covers(adcode)`` for divisions, ``.owns(case_id)`` for families; ask both before showing anything.
* Photos go out through ``photoview.photo_view`` alone, which strips, sizes and records each view.
* Words: English in the code and templates as ``_("...")``, placed values as ``_("%(n)s left", n=3)``; Chinese in
  ``locale/zh/NAME.po``. tests/bot/console/test_i18n.py names every text without a translation.
* htmx exchanges parts of a page for signed-in people: ``narrows()`` of views.html for what narrows a list (``id="found"``),
  ``at_once()`` for a form. The pages are the same with and without it; its settings (nothing evaluated, no page kept in the
  browser) stand in base.html.
* No inline script, style attribute or style element: the policy forbids them. Scripts are files in ``static/``.
* Classes of console.css: ``card``, ``stack``, ``row``, ``grid``, ``table`` in ``table-scroll`` (with
  ``tabindex="0" role="region" aria-label``), ``badge`` (``ok``, ``warn``, ``bad``), ``button`` (``primary``, ``quiet``,
  ``danger``), ``field`` (label + input + ``hint``), ``facts`` (dl), ``empty``,
  ``muted``, ``notice``, ``narrow`` (a reading-width column), ``visually-hidden``.
'''
