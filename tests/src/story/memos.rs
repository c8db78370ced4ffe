//! The chapter on memos.

use clew_store::{Memo, MemoChange, MemoKind, Store, StoreError};
use futures_util::future::join_all;

/// A change of the memo of this kind and name.
pub fn change(
    (kind, name): (MemoKind, &str),
    was: Option<u64>,
    stamp: u64,
    value: Option<&str>,
) -> MemoChange {
    MemoChange { kind, name: name.into(), was, stamp, value: value.map(Into::into) }
}

/// A memo is created if there is none, and changed or removed by a writer that knows its stamp.
/// Otherwise nothing happens.
pub(super) async fn are_changed_by_stamp(store: &dyn Store) {
    let long = format!("\"{}\"", "日本".repeat(20_000));
    let key = (MemoKind::Token, "hubspot: Café \"日本\"");
    let check = async |was, stamp, value, expected: bool, stands: Option<(u64, &str)>| {
        let changed = store.change_memo(change(key, was, stamp, value)).await.unwrap();
        assert_eq!(changed, expected, "{was:?} {stamp} {value:?}");
        let stored = store.memo(key.0, key.1).await.unwrap();
        let stands = stands.map(|(stamp, value)| {
            let (kind, name) = (key.0, key.1.into());
            Memo { kind, name, stamp, value: value.into() }
        });
        assert_eq!(stored, stands);
    };
    check(Some(1), 2, Some("1"), false, None).await;
    check(Some(1), 2, None, false, None).await;
    check(None, u64::MAX, Some("1"), true, Some((u64::MAX, "1"))).await;
    // Sent again, because the result was lost.
    check(None, u64::MAX, Some("1"), true, Some((u64::MAX, "1"))).await;
    check(None, 3, Some("2"), false, Some((u64::MAX, "1"))).await;
    check(None, 3, None, false, Some((u64::MAX, "1"))).await;
    check(Some(u64::MAX), 3, Some(&long), true, Some((3, &long))).await;
    check(Some(u64::MAX), 4, Some("3"), false, Some((3, &long))).await;
    check(Some(u64::MAX), 4, None, false, Some((3, &long))).await;
    check(Some(3), 4, None, true, None).await;
    check(Some(3), 4, None, false, None).await;
    check(None, 4, None, true, None).await;

    for name in ["", "a\0b", &"a".repeat(513)] {
        let refused = store.change_memo(change((MemoKind::Hook, name), None, 1, Some("1"))).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{name:?}: {refused:?}");
        assert_eq!(store.memo(MemoKind::Hook, name).await.unwrap(), None);
    }
    let longest = "é".repeat(256);
    let made = change((MemoKind::Hook, &longest), None, 1, Some("1"));
    assert!(store.change_memo(made).await.unwrap());
    assert!(store.memo(MemoKind::Hook, &longest).await.unwrap().is_some());
    assert!(store.change_memo(change((MemoKind::Hook, &longest), Some(1), 2, None)).await.unwrap());
}

/// Of several writers that know the same stamp and write concurrently, exactly one succeeds.
pub(super) async fn are_changed_by_one_writer(store: &dyn Store) {
    let key = (MemoKind::Lease, "poll");
    let mut was = None;
    for round in 0..5u64 {
        let all = (1..=8).map(|writer| round * 10 + writer);
        let tried = all.map(async |stamp| {
            let change = change(key, was, stamp, Some("1"));
            store.change_memo(change).await.unwrap().then_some(stamp)
        });
        let won: Vec<u64> = join_all(tried).await.into_iter().flatten().collect();
        let stored = store.memo(key.0, key.1).await.unwrap().map(|memo| memo.stamp);
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(stored, Some(won[0]));
        was = stored;
    }
}

/// Memos are listed by kind, in the byte order of their names, page by page.
pub(super) async fn are_listed(store: &dyn Store) {
    let mut names: Vec<String> =
        ["b", "B", "a", "a-b", "aB", "é", "z", "a:1", "日"].map(Into::into).into();
    for name in &names {
        for kind in [MemoKind::Inbox, MemoKind::Pause] {
            assert!(store.change_memo(change((kind, name), None, 1, Some("{}"))).await.unwrap());
        }
    }
    names.sort_unstable();
    let mut listed: Vec<String> = Vec::new();
    loop {
        let page = store.memos(MemoKind::Inbox, listed.last().cloned(), 4).await.unwrap();
        assert!(page.iter().all(|memo| memo.kind == MemoKind::Inbox && memo.value == "{}"));
        let short = page.len() < 4;
        listed.extend(page.into_iter().map(|memo| memo.name));
        if short {
            break;
        }
    }
    assert_eq!(listed, names);
    assert_eq!(store.memos(MemoKind::Cursor, None, 9).await.unwrap(), []);
}
