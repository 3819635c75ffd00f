//! Every small world keeps the invariants, and shows what it is there for.

use buildscaler_simulator::explore::{Bounds, SmallWorld, WORLDS, explore, retrace};

/// What a debug build explores of each world in some seconds.
fn bounds(world: &SmallWorld) -> Bounds {
    Bounds {
        depth: world.depth,
        states: 3_000,
        calm_one_in: 100,
    }
}

#[test]
fn no_way_through_a_small_world_breaks_an_invariant() {
    for world in WORLDS {
        let found = explore(world, bounds(world), None, &mut |_| {});
        if let Some(counterexample) = &found.counterexample {
            let way = retrace(world, None, &counterexample.choices).join("\n");
            let then = counterexample.then.join("\n");
            panic!("{}: {:?}\n{way}\nthen\n{then}", world.name, counterexample.broken);
        }
        assert!(found.states > 1_000, "{}: {} states", world.name, found.states);
        assert!(found.calmed > 0, "{}: no state was asked how it ends", world.name);
    }
}
