"""What `liveshelf monitor` says of the webhook that gets its alerts."""

from jobs._delivery import FAILED, SENT, Delivery


def figures(n_sent: int, n_failed: int) -> str:
    told = {SENT: n_sent, FAILED: n_failed}
    return "".join(
        f'# TYPE {name} counter\n{name}{{integration="webhook"}} {n}\n{name}{{integration="email"}} 7\n'
        for name, n in told.items()
    )


def test_a_webhook_that_refuses_is_told_once_and_once_that_it_takes_alerts_again():
    delivery = Delivery("nowhere:1", "http://shop:9000/alerts", "logs/alertmanager.log")

    said = [delivery.changed(figures(*sent)) for sent in ((0, 0), (2, 0), (4, 2), (6, 4), (6, 4), (7, 4), (8, 4))]

    failing = "http://shop:9000/alerts does not take alerts: logs/alertmanager.log says why. It is tried again"
    assert said == [[], [], [failing], [], [], ["http://shop:9000/alerts takes alerts again"], []]


def test_an_alertmanager_that_does_not_answer_is_no_news():
    assert Delivery("127.0.0.1:1", "http://shop:9000/alerts", "a.log").news() == []
