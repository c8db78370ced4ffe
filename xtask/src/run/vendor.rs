//! The CRMs that the demo can hand leads off to: how each stand-in is started, what the collector is told
//! of it, and what somebody can do with it.

use anyhow::{Result, bail};

/// A CRM with a stand-in.
#[derive(Clone, Copy)]
pub(super) enum Vendor {
    Hubspot,
    Salesforce,
}

impl Vendor {
    /// By the word of the command line.
    pub(super) fn named(word: &str) -> Result<Self> {
        match word {
            "hubspot" => Ok(Self::Hubspot),
            "salesforce" => Ok(Self::Salesforce),
            _ => bail!("--crm is hubspot or salesforce, not {word}"),
        }
    }

    /// Of the stand-in's option, the connection and the folder.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hubspot => "hubspot",
            Self::Salesforce => "salesforce",
        }
    }

    /// The stand-in's arguments. `hook` is the last part of the address of messages that nothing signs.
    pub(super) fn arguments(self, hook: &str) -> Vec<String> {
        let name = self.name();
        let target = match self {
            Self::Hubspot => "http://127.0.0.1:8080/hooks/hubspot".to_owned(),
            Self::Salesforce => format!("http://127.0.0.1:8080/hooks/salesforce/{hook}"),
        };
        vec!["--only".into(), name.into(), format!("--{name}-target"), target]
    }

    /// The connection, for clew.toml. The stand-in's secrets are no secrets: they stand in its page.
    pub(super) fn connection(self, hook: &str) -> String {
        let name = self.name();
        let usual = format!(
            "\n[[crm]]\nname = \"{name}\"\nsite = \"demo\"\ncurrency = \"EUR\"\npoll_minutes = 1\n\
             allow_private = true\n"
        );
        let own = match self {
            Self::Hubspot => {
                "[crm.hubspot]\ntoken = \"pat-standin\"\nclient_secret = \"standin-secret\"\n\
                 base_url = \"http://127.0.0.1:8084\"\naccount = 1\napp_url = \"http://127.0.0.1:8084\"\n"
                    .to_owned()
            }
            Self::Salesforce => format!(
                "[crm.salesforce]\nlogin_url = \"http://127.0.0.1:8085\"\nclient_id = \"standin-client\"\n\
                 client_secret = \"standin-secret\"\norganization = \"00DB00000000000EAC\"\n\
                 permission_set = \"{PERMISSION_SET}\"\nhook_secret = \"{hook}\"\n"
            ),
        };
        usual + &own
    }

    /// What to open and what to paste.
    pub(super) const fn help(self) -> &'static str {
        match self {
            Self::Hubspot => HUBSPOT,
            Self::Salesforce => SALESFORCE,
        }
    }
}

/// The one permission set that a stand-in of the seed 0 begins with.
const PERMISSION_SET: &str = "0PSB00000000047OAA";

const HUBSPOT: &str = r#"
  The stand-in of HubSpot is http://127.0.0.1:8084: the contact is there ten seconds after the form, with its
  fields and its journey as a note.

  Then play the salesman; the lines are for a second terminal, here in the repository, as they are. A deal of
  the newest contact, which is that of your form until somebody makes another; it is won, and a webhook
  tells of it:

    contact=$(curl -s 127.0.0.1:8084/__test/newest/contacts)
    curl -s 127.0.0.1:8084/__test/records -d '{"object":"deal","fields":{"dealname":"Ten seats","amount":"1200","dealstage":"contractsent"}}'
    deal=$(curl -s 127.0.0.1:8084/__test/newest/deals)
    curl -s 127.0.0.1:8084/__test/act -d '{"associate":["'$deal'","'$contact'"]}'
    curl -s 127.0.0.1:8084/__test/emit -d '{"object":"deal","id":"'$deal'","change":{"dealstage":"closedwon"}}'

  Two seconds later `credit` of the journey says which touches the 1,200 EUR go to:

    curl -s -H "Authorization: Bearer $(cat target/demo-hubspot/read-key)" 127.0.0.1:8080/v1/leads/deal:crm:hubspot:$deal/journey

  The deal is opened again; ask for the journey once more, and the credit is gone:

    curl -s 127.0.0.1:8084/__test/emit -d '{"object":"deal","id":"'$deal'","change":{"dealstage":"contractsent"}}'

  How the connection stands, what it writes where, and a test lead (which is the newest then):

    target/debug/clew --config target/demo-hubspot/clew.toml crm status
    target/debug/clew --config target/demo-hubspot/clew.toml crm setup hubspot
    target/debug/clew --config target/demo-hubspot/clew.toml crm test hubspot
"#;

const SALESFORCE: &str = r#"
  The stand-in of Salesforce is http://127.0.0.1:8085: the lead is there ten seconds after the form, with its
  fields and its journey as a task.

  Then play the salesman; the lines are for a second terminal, here in the repository, as they are. The
  newest lead, which is that of your form until somebody makes another, is converted; its opportunity is won,
  and an outbound message tells of it:

    lead=$(curl -s 127.0.0.1:8085/__test/newest/Lead)
    curl -s 127.0.0.1:8085/__test/act -d '{"convert":"'$lead'","opportunity":true}'
    curl -s 127.0.0.1:8085/__test/emit -d '{"object":"Lead","id":"'$lead'"}'
    opportunity=$(curl -s 127.0.0.1:8085/__test/newest/Opportunity)
    curl -s 127.0.0.1:8085/__test/emit -d '{"object":"Opportunity","id":"'$opportunity'","change":{"Amount":1200,"StageName":"Closed Won"}}'

  Two seconds later `credit` of the journey says which touches the 1,200 EUR go to:

    curl -s -H "Authorization: Bearer $(cat target/demo-salesforce/read-key)" 127.0.0.1:8080/v1/leads/deal:crm:salesforce:$opportunity/journey

  The opportunity is opened again; ask for the journey once more, and the credit is gone:

    curl -s 127.0.0.1:8085/__test/emit -d '{"object":"Opportunity","id":"'$opportunity'","change":{"StageName":"Negotiation/Review"}}'

  How the connection stands, what it writes where, and a test lead (which is the newest then):

    target/debug/clew --config target/demo-salesforce/clew.toml crm status
    target/debug/clew --config target/demo-salesforce/clew.toml crm setup salesforce
    target/debug/clew --config target/demo-salesforce/clew.toml crm test salesforce
"#;
