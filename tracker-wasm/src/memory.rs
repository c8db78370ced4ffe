//! What a `no_std` module must define: its allocator and panic handler.

use lol_alloc::{AssumeSingleThreaded, FreeListAllocator};

#[expect(unsafe_code, reason = "the module is built without threads")]
// SAFETY: without atomics no second thread can allocate.
#[global_allocator]
static ALLOCATOR: AssumeSingleThreaded<FreeListAllocator> =
    unsafe { AssumeSingleThreaded::new(FreeListAllocator::new()) };

/// A panic traps. The loader catches the trap and continues without the module.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
