//! The standard objects and fields of a new organization.

use super::schema::{Field, Object, Schema, Type};

use Type::{
    Checkbox, Currency, Date, DateTime, Email, LongText, Number, Phone, Picklist, Text, Url,
};

const STAGES: &[&str] = &[
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
];
const LEAD_STATUSES: &[&str] = &[
    "Open - Not Contacted",
    "Working - Contacted",
    "Closed - Converted",
    "Closed - Not Converted",
];
const SOURCES: &[&str] = &["Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"];
const TASK_STATUSES: &[&str] =
    &["Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred"];
const CURRENCIES: &[&str] = &["EUR", "USD", "GBP", "CHF", "JPY"];

/// A standard field: name, type, whether it is required, whether the API can write it.
type Row = (&'static str, Type, bool, bool);

fn lead() -> Vec<Row> {
    vec![
        ("LastName", Text(80), true, true),
        ("FirstName", Text(40), false, true),
        ("Name", Text(121), false, false),
        ("Company", Text(255), true, true),
        ("Title", Text(128), false, true),
        ("Email", Email, false, true),
        ("Phone", Phone, false, true),
        ("Website", Url, false, true),
        ("Description", LongText(32_000), false, true),
        ("Country", Text(80), false, true),
        ("LeadSource", Picklist(SOURCES, false), false, true),
        ("Status", Picklist(LEAD_STATUSES, true), false, true),
        ("IsConverted", Checkbox, false, false),
        ("ConvertedDate", Date, false, false),
        ("ConvertedAccountId", Type::Reference(&["Account"]), false, false),
        ("ConvertedContactId", Type::Reference(&["Contact"]), false, false),
        ("ConvertedOpportunityId", Type::Reference(&["Opportunity"]), false, false),
    ]
}

fn contact() -> Vec<Row> {
    vec![
        ("LastName", Text(80), true, true),
        ("FirstName", Text(40), false, true),
        ("Name", Text(121), false, false),
        ("AccountId", Type::Reference(&["Account"]), false, true),
        ("Title", Text(128), false, true),
        ("Email", Email, false, true),
        ("Phone", Phone, false, true),
        ("LeadSource", Picklist(SOURCES, false), false, true),
        ("Description", LongText(32_000), false, true),
    ]
}

fn opportunity() -> Vec<Row> {
    vec![
        ("Name", Text(120), true, true),
        ("AccountId", Type::Reference(&["Account"]), false, true),
        ("StageName", Picklist(STAGES, true), true, true),
        ("CloseDate", Date, true, true),
        ("Amount", Currency, false, true),
        ("CurrencyIsoCode", Picklist(CURRENCIES, true), false, true),
        ("LeadSource", Picklist(SOURCES, false), false, true),
        ("Probability", Number(3, 0), false, true),
        ("IsClosed", Checkbox, false, false),
        ("IsWon", Checkbox, false, false),
    ]
}

fn task() -> Vec<Row> {
    vec![
        ("WhoId", Type::Reference(&["Lead", "Contact"]), false, true),
        ("WhatId", Type::Reference(&["Opportunity", "Account"]), false, true),
        ("Subject", Text(255), false, true),
        ("Status", Picklist(TASK_STATUSES, true), false, true),
        ("Priority", Picklist(&["High", "Normal", "Low"], true), false, true),
        ("ActivityDate", Date, false, true),
        ("Description", LongText(32_000), false, true),
    ]
}

fn opportunity_contact_role() -> Vec<Row> {
    vec![
        ("OpportunityId", Type::Reference(&["Opportunity"]), true, true),
        ("ContactId", Type::Reference(&["Contact"]), true, true),
        ("Role", Text(255), false, true),
        ("IsPrimary", Checkbox, false, true),
    ]
}

fn opportunity_history() -> Vec<Row> {
    vec![
        ("OpportunityId", Type::Reference(&["Opportunity"]), false, false),
        ("StageName", Picklist(STAGES, true), false, false),
        ("Amount", Currency, false, false),
        ("CloseDate", Date, false, false),
    ]
}

fn campaign_member() -> Vec<Row> {
    vec![
        ("CampaignId", Type::Reference(&["Campaign"]), true, true),
        ("LeadId", Type::Reference(&["Lead"]), false, true),
        ("ContactId", Type::Reference(&["Contact"]), false, true),
        ("Status", Picklist(&["Sent", "Responded"], false), false, true),
    ]
}

fn field_permissions() -> Vec<Row> {
    vec![
        ("ParentId", Type::Reference(&["PermissionSet"]), true, true),
        ("SobjectType", Text(40), true, true),
        ("Field", Text(100), true, true),
        ("PermissionsRead", Checkbox, false, true),
        ("PermissionsEdit", Checkbox, false, true),
    ]
}

pub(super) fn schema() -> Schema {
    let name = || vec![("Name", Text(255), true, true)];
    let set = vec![("Name", Text(80), true, true), ("Label", Text(80), true, true)];
    let mut schema = Schema::default();
    for (object, prefix, rows) in [
        ("Lead", "00Q", lead()),
        ("Contact", "003", contact()),
        ("Account", "001", name()),
        ("Opportunity", "006", opportunity()),
        ("Task", "00T", task()),
        ("OpportunityContactRole", "00K", opportunity_contact_role()),
        ("OpportunityHistory", "008", opportunity_history()),
        ("Campaign", "701", name()),
        ("CampaignMember", "00v", campaign_member()),
        ("PermissionSet", "0PS", set),
        ("FieldPermissions", "01k", field_permissions()),
    ] {
        let own = [
            ("Id", Type::Id, false, false),
            ("CreatedDate", DateTime, false, false),
            ("LastModifiedDate", DateTime, false, false),
            ("SystemModstamp", DateTime, false, false),
        ];
        let fields = own.into_iter().chain(rows).map(standard).collect();
        schema.objects.insert(object.to_owned(), Object { prefix, fields });
    }
    schema
}

fn standard((name, holds, is_required, is_writable): Row) -> Field {
    Field {
        name: name.to_owned(),
        label: name.to_owned(),
        holds,
        is_required,
        is_writable,
        is_unique: false,
        is_external_id: false,
        may_read: true,
        may_edit: true,
    }
}
