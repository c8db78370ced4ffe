"""The lead flow with the client that was generated from the OpenAPI document.

Usage: lead_flow.py URL KEY VISITOR. Prints one JSON object of what it saw.
"""

import json
import sys
from http import HTTPStatus

from clew_client import AuthenticatedClient
from clew_client.api.deliveries import list_deliveries
from clew_client.api.fields import get_lead_fields
from clew_client.api.journeys import get_lead_journey
from clew_client.api.keys import get_key
from clew_client.api.leads import create_lead, get_lead, list_leads
from clew_client.api.stages_and_revenue import report_revenue, report_stage
from clew_client.models import (
    Contact,
    DealEvent,
    FormNames,
    LeadRequest,
    Problem,
    RevenueRequest,
    Stage,
    StageRequest,
)

url, key, visitor = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key)

contact = Contact(email="lead@example.com", first_name="First", last_name="Last")
request = LeadRequest(visitor=visitor, contact=contact, form=FormNames(id="contact"))
created = create_lead.sync_detailed(client=client, body=request, idempotency_key="flow-1")
assert created.status_code == HTTPStatus.CREATED, created.content
repeated = create_lead.sync_detailed(client=client, body=request, idempotency_key="flow-1")
assert repeated.status_code == HTTPStatus.OK, repeated.content
lead = created.parsed.lead.id

shown = get_lead.sync(lead, client=client)
journey = get_lead_journey.sync(lead, client=client)
fields = get_lead_fields.sync(lead, client=client, fields="first_click_source,email")
stage = report_stage.sync(lead, client=client, body=StageRequest(stage=Stage.MQL))
revenue = report_revenue.sync(
    client=client,
    body=RevenueRequest(
        deal="D-1", kind=DealEvent.WON, lead=str(lead), amount="1200.00", currency="EUR"
    ),
)
missing = get_lead.sync("email:nobody@example.com", client=client)
assert isinstance(missing, Problem), missing

print(
    json.dumps(
        {
            "key": get_key.sync(client=client).key_name,
            "email": shown.lead.contact.email,
            "touches": [touch.source for touch in journey.journey.touches],
            "why": journey.journey.touches[0].why.words,
            "fields": fields.fields.to_dict(),
            "stage": stage.stage.value,
            "revenue": [money.amount for money in revenue.deal.revenue],
            "leads": len(list_leads.sync(client=client).leads),
            "deliveries": len(list_deliveries.sync(client=client).deliveries),
            "missing": [missing.status, missing.type_],
        }
    )
)
