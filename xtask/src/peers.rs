//! Our dependencies, counted: fewer by default than any published client of the same API.

use std::collections::BTreeSet;

use crate::Outcome;
use crate::process::{cargo, output};

/// The best of the peers: ilink-sdk, weixin-agent, wechat-ilink and wechatbot have 115 to 142.
const BEST_PEER: usize = 115;

/// Fails if `ilink-client` has as many normal dependencies as the best peer.
pub(crate) fn count() -> Outcome {
    let tree =
        output(&mut cargo(["tree", "--package", "ilink-client", "--edges", "normal", "--prefix", "none"]))?;
    let count = unique(&tree);
    println!("ilink-client has {count} normal dependencies by default; the best peer has {BEST_PEER}");
    if count < BEST_PEER {
        Ok(())
    } else {
        Err(format!("ilink-client has {count} normal dependencies; it has to stay below {BEST_PEER}"))
    }
}

/// Packages in the output of `cargo tree`, without the first line, which is the crate itself.
fn unique(tree: &str) -> usize {
    let lines =
        tree.lines().skip(1).map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty());
    lines.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_package_counts_once_and_the_crate_itself_not_at_all() {
        assert_eq!(super::unique("own v1\na v1\nb v1\na v1 (*)\na v2\n"), 3);
    }
}
