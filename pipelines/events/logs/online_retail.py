"""UCI "Online Retail": invoice lines of a British wholesaler, as CSV. Every line is a purchase, in pounds."""

from pipelines.events.logs.csv_fields import csv_fields, number, second_of, whole_number
from pipelines.events.logs.record import KafkaRecord, UnreadableLineError, content_id, event_record

HEADER = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def read_online_retail(line: bytes) -> KafkaRecord:
    """Read one invoice line.

    * Letter case of stock codes is folded to upper: 112 codes differ by nothing else.
    * A line without customer has no user, a cancelled one (invoice "C…") a negative quantity: both are sent, and
      the rules quarantine them by name. Codes that are no products (POST, M, …) were paid for and stay, but for
      "BANK CHARGES": no id may have a blank.
    * The same article twice on an invoice is one event when the lines are equal to the last byte: see `content_id`.

    Raises UnreadableLineError when `line` has other columns, or its time, a number or the customer cannot be read.
    """
    invoice, code, description, quantity, moment, price, customer, country = csv_fields(line, 8)
    event_time, event_time_ms = second_of(moment)
    event = {
        "event_id": content_id(line, "online-retail"),
        "event_type": "purchase",
        "user_id": _customer(customer),
        "session_id": invoice,
        "event_time": event_time,
        "item_id": code.strip().upper(),
        "quantity": whole_number(quantity),
        "price": number(price),
        "currency": "GBP",
        "title": description.strip(),
        "context": {"location": country} if country else None,
    }
    return event_record(event, event_time_ms)


def _customer(text: str) -> str:
    """Give the id without the ".0" that an export through floating point left behind; "" where there is none."""
    digits = text.removesuffix(".0")
    if digits and not digits.isdecimal():
        raise UnreadableLineError(f"expected a customer number, got {text!r}")
    return digits
