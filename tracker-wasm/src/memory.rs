//! What `no_std` leaves to the module: its allocator, and what a panic does.

use lol_alloc::{AssumeSingleThreaded, FreeListAllocator};

#[expect(unsafe_code, reason = "the module is built without threads")]
// SAFETY: without atomics there is no second thread that could allocate.
#[global_allocator]
static ALLOCATOR: AssumeSingleThreaded<FreeListAllocator> =
    unsafe { AssumeSingleThreaded::new(FreeListAllocator::new()) };

/// A panic traps. The loader catches the trap, and goes on without the module.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
