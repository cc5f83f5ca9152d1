"""Fills a running localstripe with one customer, one card and three charges, and prints the charges.

    python seed.py http://127.0.0.1:PORT
"""

import base64
import json
import sys
import urllib.parse
import urllib.request

KEY = "sk_test_12345"  # localstripe takes every key that begins with `sk_`


def post(base: str, path: str, **fields: str) -> dict:
    basic = base64.b64encode(f"{KEY}:".encode()).decode()
    request = urllib.request.Request(
        base + path,
        data=urllib.parse.urlencode(fields).encode(),
        headers={"Authorization": f"Basic {basic}"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


def main() -> None:
    base = sys.argv[1].rstrip("/")
    customer = post(base, "/v1/customers", email="ada@example.com", description="Ada Lovelace")
    card = {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2030", "card[cvc]": "123"}
    method = post(base, "/v1/payment_methods", type="card", **card)
    post(base, f"/v1/payment_methods/{method['id']}/attach", customer=customer["id"])
    for amount, description in [(8_000, "Chair"), (45_000, "Desk"), (250_000, "Kitchen")]:
        charge = post(
            base,
            "/v1/charges",
            amount=str(amount),
            currency="usd",
            customer=customer["id"],
            source=method["id"],
            description=description,
        )
        print(f"{charge['id']}  {amount / 100:.2f} {charge['currency']}  {description}")


if __name__ == "__main__":
    main()
