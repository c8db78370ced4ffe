//! A collector that delivers leads to a stand-in CRM: the same scenes for every vendor.

use crate::app::{NOW_MS, TestApp};
use crate::storage::Storage;
use crate::wire::new_visitor;
use clew_core::Clock;
use collector::config::Config;
use serde_json::{Value, json};
use standin::{Emit, Standin};
use std::net::TcpListener;

/// The CRM's vendor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vendor {
    /// HubSpot.
    Hubspot,
    /// Salesforce.
    Salesforce,
}

/// The last segment of the address of Salesforce's outbound messages.
const HOOK_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The id of the stand-in's only permission set; it is the same in every run.
const PERMISSION_SET: &str = "0PSB00000000047OAA";

impl Vendor {
    /// All vendors.
    pub const ALL: [Self; 2] = [Self::Hubspot, Self::Salesforce];

    /// The connection's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hubspot => "hubspot",
            Self::Salesforce => "salesforce",
        }
    }

    /// The collector's path for the CRM's webhooks.
    pub fn hook(self) -> String {
        match self {
            Self::Hubspot => "/hooks/hubspot".into(),
            Self::Salesforce => format!("/hooks/salesforce/{HOOK_SECRET}"),
        }
    }

    /// The settings of a connection to a stand-in. `more` adds lines to `[[crm]]`.
    pub fn settings(self, url: &str, more: &str) -> String {
        let name = self.name();
        let head = format!(
            "[[crm]]\nname = \"{name}\"\nsite = \"demo\"\ncurrency = \"EUR\"\nallow_private = true\n{more}\n"
        );
        let own = match self {
            Self::Hubspot => format!(
                "[crm.hubspot]\nbase_url = \"{url}\"\nclient_id = \"standin-client\"\n\
                 client_secret = \"standin-secret\"\nrefresh_token = \"standin-refresh\"\n\
                 calls_in_10_seconds = 1000000\n"
            ),
            Self::Salesforce => format!(
                "[crm.salesforce]\nlogin_url = \"{url}\"\nclient_id = \"standin-client\"\n\
                 client_secret = \"standin-secret\"\nhook_secret = \"{HOOK_SECRET}\"\n\
                 permission_set = \"{PERMISSION_SET}\"\ncalls_in_10_seconds = 1000000\n"
            ),
        };
        head + &own
    }

    /// Starts a stand-in without limits, with its clock fixed at the given time, or running.
    pub fn stand_in(self, clock: Option<i64>) -> Standin {
        let starting = match self {
            Self::Hubspot => Standin::hubspot(),
            Self::Salesforce => Standin::salesforce(),
        };
        let unlimited = |settings: &mut standin::Settings| {
            settings.burst = usize::MAX;
            settings.searches_per_second = usize::MAX;
            settings.daily = u64::MAX / 2;
        };
        starting.clock(clock).settings(unlimited).start().unwrap()
    }

    /// The persons in the stand-in, and the notes attached to them.
    pub fn persons_and_notes(self, crm: &Standin) -> (Vec<Value>, Vec<Value>) {
        let records = crm.records();
        let list = |name: &str| records[name].as_array().cloned().unwrap_or_default();
        match self {
            Self::Hubspot => (list("contacts"), list("notes")),
            Self::Salesforce => ([list("Lead"), list("Contact")].concat(), list("Task")),
        }
    }

    /// The value of one of Clew's fields on a person's record in the CRM.
    pub fn field(self, person: &Value, ours: &str) -> Value {
        let crm: shared::fields::naming::Crm = self.name().parse().unwrap();
        let field = shared::fields::catalogue::find(ours).unwrap();
        let name = crm.field_name(&"clew".parse().unwrap(), field);
        match self {
            Self::Hubspot => person["properties"][&name].clone(),
            Self::Salesforce => person[&name].clone(),
        }
    }
}

/// A collector and its CRM, with clocks that move together.
pub struct Scene {
    /// The CRM's vendor.
    pub vendor: Vendor,
    /// The collector's clock; move it with [`Scene::advance_ms`].
    pub clock: Clock,
    /// The CRM.
    pub crm: Standin,
    /// The collector.
    pub app: TestApp,
}

impl Scene {
    /// Starts both at [`NOW_MS`], with webhooks and polling set up.
    pub fn start(vendor: Vendor, storage: impl Into<Storage>) -> Self {
        Self::start_with(vendor, storage, "")
    }

    /// Like [`start`](Self::start), with more lines in `[[crm]]`.
    pub fn start_with(vendor: Vendor, storage: impl Into<Storage>, more: &str) -> Self {
        Self::start_adjusted(vendor, storage, more, |_| {})
    }

    /// Like [`start_with`](Self::start_with), and changes the configuration after it was parsed.
    pub fn start_adjusted(
        vendor: Vendor,
        storage: impl Into<Storage>,
        more: &str,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let crm = vendor.stand_in(Some(NOW_MS));
        let clock = Clock::fixed(NOW_MS);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = vendor.settings(crm.url(), more);
        let app = TestApp::start_adjusted(storage, listener, &settings, clock.clone(), adjust);
        let target = format!("{}{}", app.url, vendor.hook());
        crm.set(|settings| settings.target_url = Some(target));
        Self { vendor, clock, crm, app }
    }

    /// Moves both clocks.
    pub fn advance_ms(&self, by_ms: i64) {
        self.clock.advance_ms(by_ms);
        self.crm.advance_ms(by_ms);
    }

    /// A visitor comes from an ad and sends the form. Returns the lead's id.
    pub async fn lead(&self, contact: Value) -> String {
        self.lead_from("https://www.example.com/pricing?utm_source=google&utm_medium=cpc", contact)
            .await
    }

    /// Like [`lead`](Self::lead), from another landing page.
    pub async fn lead_from(&self, url: &str, contact: Value) -> String {
        let visitor = new_visitor().to_text();
        self.app.visit(&visitor, url).await;
        let made = self.app.post_lead(&json!({ "visitor": visitor, "contact": contact })).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json["lead"]["id"].as_str().unwrap().to_owned()
    }

    /// Lets the settle time pass and delivers what is due. Returns the number of attempts.
    pub async fn hand_off(&self) -> usize {
        self.advance_ms(10_000);
        self.app.deliver().await
    }

    /// A canonical field of a lead, as the API returns it.
    pub async fn field(&self, lead: &str, name: &str) -> Value {
        self.app.get(&format!("/v1/leads/{lead}/fields")).await.json["fields"][name].clone()
    }

    /// The deliveries in a state.
    pub async fn deliveries(&self, state: &str) -> Vec<Value> {
        let path = format!("/v1/deliveries?state={state}&limit=200");
        self.app.get(&path).await.json["deliveries"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| panic!("{state}"))
    }

    /// Whether any delivery is not yet settled.
    pub async fn waits(&self) -> bool {
        for state in ["retry", "pending", "sending"] {
            let path = format!("/v1/deliveries?state={state}&limit=1");
            if self.app.get(&path).await.json["deliveries"] != json!([]) {
                return true;
            }
        }
        false
    }

    /// Creates a person's deal in the CRM, without a webhook. Returns its id.
    pub async fn deal(&self, person: &str, amount: &str) -> String {
        match self.vendor {
            Vendor::Hubspot => {
                let fields = json!({ "amount": amount, "dealstage": "contractsent" });
                let deal = self.crm.put("deal", &fields).unwrap();
                self.crm.act(&json!({ "associate": [deal, person] })).unwrap();
                deal
            }
            Vendor::Salesforce => {
                let done = json!({ "convert": person, "opportunity": true });
                let done = self.crm.act(&done).unwrap();
                let deal = done["opportunity"].as_str().unwrap().to_owned();
                let amount: Value = serde_json::from_str(amount).unwrap();
                self.change_deal(&deal, json!({ "Amount": amount }), |emit| emit.lost = true).await;
                deal
            }
        }
    }

    /// The change that wins, loses or reopens a deal, or sets another amount.
    pub fn change(&self, word: &str, amount: Option<&str>) -> Value {
        let (stage, value) = match self.vendor {
            Vendor::Hubspot => ("dealstage", "amount"),
            Vendor::Salesforce => ("StageName", "Amount"),
        };
        let mut change = json!({});
        match (word, self.vendor) {
            ("won", Vendor::Hubspot) => change[stage] = "closedwon".into(),
            ("won", Vendor::Salesforce) => change[stage] = "Closed Won".into(),
            ("lost", Vendor::Hubspot) => change[stage] = "closedlost".into(),
            ("lost", Vendor::Salesforce) => change[stage] = "Closed Lost".into(),
            ("open", Vendor::Hubspot) => change[stage] = "contractsent".into(),
            ("open", Vendor::Salesforce) => change[stage] = "Prospecting".into(),
            _ => {}
        }
        if let Some(amount) = amount {
            change[value] = match self.vendor {
                Vendor::Hubspot => amount.into(),
                Vendor::Salesforce => serde_json::from_str(amount).unwrap(),
            };
        }
        change
    }

    /// Changes a deal as a person does in the CRM's pages, and sends the webhooks that `configure`
    /// sets up.
    pub async fn change_deal(
        &self,
        deal: &str,
        change: Value,
        configure: impl FnOnce(&mut Emit),
    ) -> Vec<standin::Delivery> {
        let object = match self.vendor {
            Vendor::Hubspot => "deal",
            Vendor::Salesforce => "Opportunity",
        };
        let mut emit = Emit {
            object: object.into(),
            id: deal.into(),
            change: change.as_object().unwrap().clone(),
            ..Emit::default()
        };
        configure(&mut emit);
        self.crm.emit(&emit).await.unwrap()
    }

    /// Stops both.
    pub async fn stop(self) -> Storage {
        let storage = self.app.stop().await;
        self.crm.stop().await;
        storage
    }
}
