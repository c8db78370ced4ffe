//! The CRMs that the demo can deliver leads to: how to start each stand-in, the collector's
//! configuration for it, and what to try with it.

use anyhow::{Result, bail};

/// A CRM with a stand-in.
#[derive(Clone, Copy)]
pub(super) enum Vendor {
    Hubspot,
    Salesforce,
}

impl Vendor {
    /// Parses the name on the command line.
    pub(super) fn named(word: &str) -> Result<Self> {
        match word {
            "hubspot" => Ok(Self::Hubspot),
            "salesforce" => Ok(Self::Salesforce),
            _ => bail!("--crm should be hubspot or salesforce, not `{word}`"),
        }
    }

    /// The name of the stand-in's option, of the connection, and in the folder's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hubspot => "hubspot",
            Self::Salesforce => "salesforce",
        }
    }

    /// The stand-in's arguments. `hook` is the last part of the URL for messages without a
    /// signature.
    pub(super) fn arguments(self, hook: &str) -> Vec<String> {
        let name = self.name();
        let target = match self {
            Self::Hubspot => "http://127.0.0.1:8080/hooks/hubspot".to_owned(),
            Self::Salesforce => format!("http://127.0.0.1:8080/hooks/salesforce/{hook}"),
        };
        vec!["--only".into(), name.into(), format!("--{name}-target"), target]
    }

    /// The connection for clew.toml. The stand-in's secrets are not confidential: its docs page
    /// lists them.
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

    /// What to open and which commands to paste.
    pub(super) const fn help(self) -> &'static str {
        match self {
            Self::Hubspot => HUBSPOT,
            Self::Salesforce => SALESFORCE,
        }
    }
}

/// The only permission set of a stand-in with seed 0.
const PERMISSION_SET: &str = "0PSB00000000047OAA";

const HUBSPOT: &str = r#"
  HubSpot's stand-in is http://127.0.0.1:8084. It shows the contact ten seconds after the form, with its
  fields and its journey as a note.

  Now play the salesperson: paste the commands below into a second terminal, in the repository's folder. The
  first ones create a deal for the newest contact (yours, unless another one was created since) and win it,
  and a webhook reports that:

    contact=$(curl -s 127.0.0.1:8084/__test/newest/contacts)
    curl -s 127.0.0.1:8084/__test/records -d '{"object":"deal","fields":{"dealname":"Ten seats","amount":"1200","dealstage":"contractsent"}}'
    deal=$(curl -s 127.0.0.1:8084/__test/newest/deals)
    curl -s 127.0.0.1:8084/__test/act -d '{"associate":["'$deal'","'$contact'"]}'
    curl -s 127.0.0.1:8084/__test/emit -d '{"object":"deal","id":"'$deal'","change":{"dealstage":"closedwon"}}'

  Two seconds later `credit` in the journey shows which touches get the 1,200 EUR:

    curl -s -H "Authorization: Bearer $(cat target/demo-hubspot/read-key)" 127.0.0.1:8080/v1/leads/deal:crm:hubspot:$deal/journey

  Reopen the deal, then request the journey again: the credit is gone.

    curl -s 127.0.0.1:8084/__test/emit -d '{"object":"deal","id":"'$deal'","change":{"dealstage":"contractsent"}}'

  The connection's status, the fields that it writes, and a test lead (which is then the newest):

    target/debug/clew --config target/demo-hubspot/clew.toml crm status
    target/debug/clew --config target/demo-hubspot/clew.toml crm setup hubspot
    target/debug/clew --config target/demo-hubspot/clew.toml crm test hubspot
"#;

const SALESFORCE: &str = r#"
  Salesforce's stand-in is http://127.0.0.1:8085. It shows the lead ten seconds after the form, with its
  fields and its journey as a task.

  Now play the salesperson: paste the commands below into a second terminal, in the repository's folder. The
  first ones convert the newest lead (yours, unless another one was created since) and win its opportunity,
  and an outbound message reports that:

    lead=$(curl -s 127.0.0.1:8085/__test/newest/Lead)
    curl -s 127.0.0.1:8085/__test/act -d '{"convert":"'$lead'","opportunity":true}'
    curl -s 127.0.0.1:8085/__test/emit -d '{"object":"Lead","id":"'$lead'"}'
    opportunity=$(curl -s 127.0.0.1:8085/__test/newest/Opportunity)
    curl -s 127.0.0.1:8085/__test/emit -d '{"object":"Opportunity","id":"'$opportunity'","change":{"Amount":1200,"StageName":"Closed Won"}}'

  Two seconds later `credit` in the journey shows which touches get the 1,200 EUR:

    curl -s -H "Authorization: Bearer $(cat target/demo-salesforce/read-key)" 127.0.0.1:8080/v1/leads/deal:crm:salesforce:$opportunity/journey

  Reopen the opportunity, then request the journey again: the credit is gone.

    curl -s 127.0.0.1:8085/__test/emit -d '{"object":"Opportunity","id":"'$opportunity'","change":{"StageName":"Negotiation/Review"}}'

  The connection's status, the fields that it writes, and a test lead (which is then the newest):

    target/debug/clew --config target/demo-salesforce/clew.toml crm status
    target/debug/clew --config target/demo-salesforce/clew.toml crm setup salesforce
    target/debug/clew --config target/demo-salesforce/clew.toml crm test salesforce
"#;
