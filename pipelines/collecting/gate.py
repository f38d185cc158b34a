"""Who may send, and how much: origins, write keys, signatures, rates."""

from starlette.requests import Request

from pipelines.collecting.devices import device_type
from pipelines.collecting.intake import Sender, country_of
from pipelines.collecting.metrics import Metrics
from pipelines.collecting.secrets import OPEN_SITE, SEGMENT_VARIABLE, SHOPIFY_VARIABLE, Secrets, is_signed_by_segment
from pipelines.collector_sections import CollectorConfig
from pipelines.events.adapters import verify_shopify
from pipelines.http.rates import RateLimit
from pipelines.http.refusals import RefusedError

KEY_HEADER = "x-write-key"
SHOPIFY_HEADER = "x-shopify-hmac-sha256"
SHOPIFY_TOPIC_HEADER = "x-shopify-topic"
SEGMENT_HEADER = "x-signature"


class Gate:
    """Lets a request in or raises RefusedError."""

    def __init__(self, config: CollectorConfig, secrets: Secrets, metrics: Metrics) -> None:
        self._config, self._secrets, self._metrics = config, secrets, metrics
        self._all_origins = "*" in config.allowed_origins
        self._rates = RateLimit(max(1, config.events_per_minute // config.workers), "events", "this write key")

    def check_origin(self, request: Request) -> None:
        """Refuse (403) a page of another origin than those allowed.

        A browser sends a beacon of text without asking first, so CORS alone would let its events in.
        """
        origin = request.headers.get("origin", "")
        if origin and not self._all_origins and origin not in self._config.allowed_origins:
            raise RefusedError(
                403, "origin", "pages of this origin may not send events: collector.allowed_origins does not list it"
            )

    def site(self, request: Request, *more_parameters: str) -> str:
        """Return the site of the write key: header X-Write-Key, else ?key=, else one of `more_parameters`.

        Raises RefusedError (401) where a key is asked for and this is none.
        """
        parameters = request.query_params
        names = ("key", *more_parameters)
        key = request.headers.get(KEY_HEADER) or next((parameters[name] for name in names if parameters.get(name)), "")
        site = self._secrets.write_keys.name_of(key) if key else None
        if site is not None:
            return site
        if not self._config.require_write_key:
            return OPEN_SITE
        text = "the write key is wrong" if key else "a write key is missing"
        raise RefusedError(401, "key", f"{text}: header X-Write-Key, or ?key= in the address")

    def webhook_site(self, request: Request, vendor: str, body: bytes) -> str:
        """Return the site of a webhook: of its signature where the vendor signs, else of its write key. Raises as `site`."""
        if vendor == "shopify" and (SHOPIFY_HEADER in request.headers or SHOPIFY_TOPIC_HEADER in request.headers):
            signature = request.headers.get(SHOPIFY_HEADER, "")
            return self._signed(vendor, SHOPIFY_VARIABLE, verify_shopify(body, signature, self._secrets.shopify))
        if vendor == "segment" and (self._secrets.segment or SEGMENT_HEADER in request.headers):
            signature = request.headers.get(SEGMENT_HEADER, "")
            is_genuine = is_signed_by_segment(body, signature, self._secrets.segment)
            return self._signed(vendor, SEGMENT_VARIABLE, is_genuine)
        return self.site(request, "api_secret")

    def count(self, site: str, n_events: int) -> None:
        """Refuse (429) what is beyond the rate of a site."""
        try:
            self._rates.count(site, n_events)
        except RefusedError:
            self._metrics.rate_limited.labels(site).inc()
            raise

    def sender(self, request: Request, site: str, route: str) -> Sender:
        """Return what the headers say of a visitor's browser."""
        headers, config = request.headers, self._config
        says_no = config.respect_do_not_track and "1" in (headers.get("dnt"), headers.get("sec-gpc"))
        country = country_of(headers.get(config.country_header, "")) if config.country_header else None
        return Sender(site, route, device_type(headers.get("user-agent", "")), country, says_no)

    def _signed(self, vendor: str, variable: str, is_genuine: bool) -> str:
        if not getattr(self._secrets, vendor):
            raise RefusedError(
                401, "signature", f"signed webhooks of {vendor} need the variable {variable}, which is not set"
            )
        if not is_genuine:
            raise RefusedError(
                401, "signature", f"the signature is not {vendor}'s of this body, by the secret in {variable}"
            )
        return vendor
