//! The part of SOQL that adapters need, parsed strictly: everything else is refused.
//!
//! `SELECT list [, (subquery)] FROM object [WHERE field op literal [AND …]] [ORDER BY field
//! [ASC|DESC], …] [LIMIT n]`.

use serde_json::{Value, json};
use std::iter::Peekable;
use std::vec::IntoIter;

/// A query.
#[derive(Debug)]
pub(super) struct Select {
    /// Paths such as `Contact.Email`, in parts.
    pub(super) fields: Vec<Vec<String>>,
    pub(super) subqueries: Vec<Self>,
    /// The object; in a subquery, the relationship.
    pub(super) from: String,
    pub(super) conditions: Vec<Condition>,
    /// Paths, and whether the order is descending.
    pub(super) order: Vec<(Vec<String>, bool)>,
    pub(super) limit: Option<usize>,
}

/// `field op literal`.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) path: Vec<String>,
    pub(super) operator: String,
    pub(super) literals: Vec<Literal>,
}

/// A literal value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(String),
    /// Number, boolean or null.
    Plain(Value),
    /// A date or a time, without quotes.
    Time(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name, a keyword, a number or a time.
    Word(String),
    Text(String),
    Sign(String),
}

/// Parses a query. The error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Select, String> {
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable() };
    let select = parser.select()?;
    match parser.tokens.next() {
        None => Ok(select),
        Some(token) => Err(format!("unexpected token: {token:?}")),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            _ if sign.is_whitespace() => {}
            '\'' => tokens.push(Token::Text(quoted(&mut signs)?)),
            '(' | ')' | ',' => tokens.push(Token::Sign(sign.to_string())),
            '=' => tokens.push(Token::Sign("=".to_owned())),
            '<' | '>' | '!' => {
                let longer = signs.next_if(|next| *next == '=').map_or("", |_| "=");
                tokens.push(Token::Sign(format!("{sign}{longer}")));
            }
            _ if sign.is_alphanumeric() || "_-+.:".contains(sign) => {
                let mut word = sign.to_string();
                let goes_on = |next: &char| next.is_alphanumeric() || "_-+.:".contains(*next);
                while let Some(next) = signs.next_if(goes_on) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
            _ => return Err(format!("unexpected token: {sign}")),
        }
    }
    Ok(tokens)
}

/// The text between quotes, unescaped.
fn quoted(signs: &mut impl Iterator<Item = char>) -> Result<String, String> {
    let mut text = String::new();
    while let Some(sign) = signs.next() {
        match sign {
            '\'' => return Ok(text),
            '\\' => match signs.next() {
                Some(escaped @ ('\'' | '\\' | '"' | '%' | '_')) => text.push(escaped),
                Some('n' | 'N') => text.push('\n'),
                Some('r' | 'R') => text.push('\r'),
                Some('t' | 'T') => text.push('\t'),
                Some(other) => return Err(format!("Illegal string escape: \\{other}")),
                None => break,
            },
            _ => text.push(sign),
        }
    }
    Err("string literal is not closed".to_owned())
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
}

impl Parser {
    fn select(&mut self) -> Result<Select, String> {
        self.keyword("SELECT")?;
        let (mut fields, mut subqueries) = (Vec::new(), Vec::new());
        loop {
            if self.takes_sign("(") {
                subqueries.push(self.select()?);
                self.sign(")")?;
            } else {
                fields.push(self.path()?);
            }
            if !self.takes_sign(",") {
                break;
            }
        }
        self.keyword("FROM")?;
        let from = self.path()?.join(".");
        let mut conditions = Vec::new();
        if self.takes_keyword("WHERE") {
            conditions.push(self.condition()?);
            while self.takes_keyword("AND") {
                conditions.push(self.condition()?);
            }
        }
        let mut order = Vec::new();
        if self.takes_keyword("ORDER") {
            self.keyword("BY")?;
            loop {
                let path = self.path()?;
                let is_descending = self.takes_keyword("DESC");
                if !is_descending {
                    self.takes_keyword("ASC");
                }
                order.push((path, is_descending));
                if !self.takes_sign(",") {
                    break;
                }
            }
        }
        let limit = if self.takes_keyword("LIMIT") {
            let number = self.word()?;
            Some(number.parse().map_err(|_| format!("LIMIT {number} is not a number"))?)
        } else {
            None
        };
        Ok(Select { fields, subqueries, from, conditions, order, limit })
    }

    fn condition(&mut self) -> Result<Condition, String> {
        let path = self.path()?;
        let operator = match self.tokens.next() {
            Some(Token::Sign(sign))
                if ["=", "!=", "<", "<=", ">", ">="].contains(&sign.as_str()) =>
            {
                sign
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("IN") => "IN".to_owned(),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("LIKE") => "LIKE".to_owned(),
            other => return Err(format!("unexpected token: {other:?}")),
        };
        let mut literals = Vec::new();
        if operator == "IN" {
            self.sign("(")?;
            loop {
                literals.push(self.literal()?);
                if !self.takes_sign(",") {
                    break;
                }
            }
            self.sign(")")?;
        } else {
            literals.push(self.literal()?);
        }
        Ok(Condition { path, operator, literals })
    }

    fn literal(&mut self) -> Result<Literal, String> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(Literal::Text(text)),
            Some(Token::Word(word)) => literal(&word),
            other => Err(format!("unexpected token: {other:?}")),
        }
    }

    fn path(&mut self) -> Result<Vec<String>, String> {
        let word = self.word()?;
        let is_name = |part: &str| {
            part.starts_with(|sign: char| sign.is_ascii_alphabetic())
                && part.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_')
        };
        let parts: Vec<String> = word.split('.').map(str::to_owned).collect();
        let is_keyword = ["FROM", "WHERE", "AND", "ORDER", "BY", "LIMIT", "SELECT"]
            .iter()
            .any(|keyword| word.eq_ignore_ascii_case(keyword));
        if is_keyword || !parts.iter().all(|part| is_name(part)) {
            return Err(format!("unexpected token: '{word}'"));
        }
        Ok(parts)
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(token) => Err(format!("unexpected token: {token:?}")),
            None => Err("unexpected end of the query".to_owned()),
        }
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), String> {
        let word = self.word()?;
        if word.eq_ignore_ascii_case(keyword) {
            return Ok(());
        }
        Err(format!("unexpected token: '{word}' where {keyword} is expected"))
    }

    fn takes_keyword(&mut self, keyword: &str) -> bool {
        let is_it = |token: &Token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.tokens.next_if(is_it).is_some()
    }

    fn sign(&mut self, sign: &str) -> Result<(), String> {
        if self.takes_sign(sign) { Ok(()) } else { Err(format!("expecting '{sign}'")) }
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Sign(found) if found == sign)).is_some()
    }
}

fn literal(word: &str) -> Result<Literal, String> {
    let is_time = word.len() >= 10 && word.as_bytes().get(4) == Some(&b'-');
    match word.to_ascii_uppercase().as_str() {
        "TRUE" => Ok(Literal::Plain(json!(true))),
        "FALSE" => Ok(Literal::Plain(json!(false))),
        "NULL" => Ok(Literal::Plain(Value::Null)),
        _ if is_time => Ok(Literal::Time(word.to_owned())),
        _ => match word.parse::<f64>() {
            Ok(number) => Ok(Literal::Plain(json!(number))),
            Err(_) => Err(format!("unexpected token: '{word}'")),
        },
    }
}
