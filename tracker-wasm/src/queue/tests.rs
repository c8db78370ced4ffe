//! The queue alone, and shared by tabs.

use super::*;
use std::{format, vec};

const OWNER: &str = "demo 1";

/// An event whose id is made of one number.
fn event(number: usize) -> String {
    format!("{{\"id\":\"{number:036}\",\"at\":1}}")
}

fn queue(numbers: &[usize]) -> Queue {
    let mut queue = Queue::default();
    numbers.iter().for_each(|number| queue.push(&event(*number)));
    queue
}

/// The page view with this number.
fn page(number: usize) -> String {
    format!("{number:036}")
}

/// Makes a batch and returns its events.
fn take(queue: &mut Queue, batch: u32, take: Take) -> Vec<usize> {
    queue.take(batch, take);
    queue.batch(batch).map(|json| json[7..43].parse().expect("a number")).collect()
}

#[test]
fn batches_are_settled_or_released() {
    let mut queue = queue(&[1, 2]);
    assert_eq!(take(&mut queue, 1, Take::Waiting), [1, 2]);
    assert!(queue.is_in_flight() && !queue.has_waiting());
    queue.push(&event(3));
    assert_eq!(take(&mut queue, 2, Take::Waiting), [3]);
    queue.release(1);
    assert_eq!(take(&mut queue, 3, Take::Waiting), [1, 2]);
    queue.settle(2);
    assert_eq!(take(&mut queue, 4, Take::All), [1, 2]);
    queue.settle(3);
    queue.release(0);
    assert_eq!(take(&mut queue, 5, Take::Waiting), [1, 2], "batch 4 took them from batch 3");
    queue.settle(5);
    assert!(!queue.is_in_flight() && !queue.has_waiting());
}

#[test]
fn later_totals_replace_earlier_ones_even_under_way() {
    let mut queue = Queue::default();
    queue.push_totals(&page(1), &event(1));
    queue.push_totals(&page(2), &event(2));
    take(&mut queue, 1, Take::Waiting);
    queue.push_totals(&page(1), &event(3));
    queue.settle(1);
    assert_eq!(take(&mut queue, 2, Take::Waiting), [3]);
}

#[test]
fn batches_and_the_queue_are_bounded() {
    let mut many = queue(&(0..250).collect::<Vec<_>>());
    assert_eq!(take(&mut many, 1, Take::Waiting), (50..100).collect::<Vec<_>>());
    assert_eq!(take(&mut many, 2, Take::All), (200..250).collect::<Vec<_>>(), "newest on leaving");

    let long = |number: usize| format!("{},{}}}", &event(number)[..50], "x".repeat(10_000));
    let mut heavy = Queue::default();
    (0..6).for_each(|number| heavy.push(&long(number)));
    assert_eq!(heavy.entries.len(), 4);
    assert_eq!(take(&mut heavy, 1, Take::Waiting), [2, 3, 4]);

    let mut single = Queue::default();
    single.push(&format!("{},{}}}", &event(1)[..50], "x".repeat(40_000)));
    assert_eq!(take(&mut single, 1, Take::Waiting), [1], "one event goes however long it is");
}

#[test]
fn the_next_page_adopts() {
    let check = |stored: &str, owner: &str, expected: &[usize]| {
        let mut queue = queue(&[7]);
        queue.adopt(owner, stored);
        assert_eq!(take(&mut queue, 1, Take::Waiting), expected, "{stored}");
    };
    let mut left = queue(&[1, 2]);
    left.push_totals(&page(1), &event(3));
    let stored = left.store(OWNER, "");
    check(&stored, OWNER, &[1, 2, 3, 7]);
    check(&stored, "demo 2", &[7]);
    check("", OWNER, &[7]);
    check("demo 1\nnonsense\n-{\n-{\"id\":\"short\"}\n\n{", OWNER, &[7]);
    check(&format!("demo 1\n-{}\n-{}", event(7), event(8)), OWNER, &[8, 7]);
    check(&format!("demo 1\n-{}", &event(8)[..49]), OWNER, &[7]);
}

#[test]
fn tabs_share_the_stored_copy() {
    let (mut one, mut two) = (queue(&[1]), queue(&[2]));
    let mut stored = one.store(OWNER, "");
    assert!(!one.is_changed() && two.is_changed());
    stored = two.store(OWNER, &stored);
    let lines = |stored: &str| {
        stored
            .split('\n')
            .skip(1)
            .map(|line| line[8..44].parse().expect("a number"))
            .collect::<Vec<usize>>()
    };
    assert_eq!(lines(&stored), [1, 2]);
    take(&mut one, 1, Take::Waiting);
    one.settle(1);
    stored = one.store(OWNER, &stored);
    assert_eq!(lines(&stored), [2], "only this tab's own is taken out");
    take(&mut two, 1, Take::Waiting);
    two.settle(1);
    assert_eq!(two.store(OWNER, &stored), "");
    assert!(!queue(&[]).is_changed());
    let other_owner = queue(&[5]).store("demo 9", "demo 1\n-{}");
    assert_eq!(lines(&other_owner), vec![5]);
}

#[test]
fn totals_are_stored_once_a_page() {
    let mut queue = Queue::default();
    queue.push_totals(&page(9), &event(1));
    let first = queue.store(OWNER, "");
    queue.push_totals(&page(9), &event(2));
    let second = queue.store(OWNER, &first);
    assert_eq!(second, format!("{OWNER}\n={}{}", page(9), event(2)));
}
