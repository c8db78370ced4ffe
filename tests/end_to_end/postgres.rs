//! The tests' own PostgreSQL server, and what the other tests rely on.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use tests::postgres::Server;

#[test]
fn the_server_is_killed_restarted_and_suspended() {
    let server = Server::start();
    let template = server.create_database(None);
    let answer = |sql: &str| server.psql(template.name(), sql);
    assert_eq!(answer("SELECT 1, 'two'"), "1|two");
    assert_eq!(answer("SHOW fsync"), "on");
    answer("CREATE TABLE kept (number int); INSERT INTO kept VALUES (1)");

    for end in [Server::kill, Server::stop] {
        end(&server);
        server.restart();
        assert_eq!(answer("SELECT number FROM kept"), "1");
    }

    let copy = server.create_database(Some(&template));
    assert_eq!(server.psql(copy.name(), "SELECT number FROM kept"), "1");
    assert!(copy.url().ends_with(copy.name()) && copy.url() != template.url());

    server.suspend();
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        scope.spawn(|| {
            let sender = sender;
            sender.send(answer("SELECT number FROM kept")).unwrap();
        });
        let early = receiver.recv_timeout(Duration::from_millis(300));
        server.resume();
        assert_eq!(early, Err(RecvTimeoutError::Timeout));
        assert_eq!(receiver.recv().unwrap(), "1");
    });
}
