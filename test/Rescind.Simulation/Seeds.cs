namespace Rescind.Simulation;

/// <summary>Lives in which a promise was broken once, by the product or by a mistake of the world. Each run of many lives
/// them first. They are the same lives only as long as the world draws as it did; what was found in the product has a
/// test of its own.</summary>
internal static class Seeds
{
    public static IReadOnlyList<(ulong Seed, string Found)> Known { get; } =
    [
        (219, "a node that knew no time but its own made cutoffs that stopped short"),
        (655, "a node that gives back cannot read, and was thought to"),
        (764, "a node that was refused kept announcements ahead of its position"),
        (1914, "half of a script was kept"),
        (3681, "what hung was carried out after the world was healed"),
        (11461, "a server was promoted that did not follow the master"),
        (1010379, "a suspended machine whose process was killed never woke"),
        (1013381, "the same"),
        (1063526, "a lift was heard of before what it lifts"),
        (1066636, "a recovery forgot a longer lease"),
        (1007367, "the time to heal went by the shorter bound"),
        (1090566, "an answer that was under way while its machine was suspended counted as a reading after that"),
        (1099097, "an append to a master that was taken for the only one was judged by its receipt, a bound later"),
        (1120643, "a clock had drifted away while its node stood still, and the node issued before it read"),
        (1157569, "the file did not say what it had forgotten, as the real one does"),
        (1075809, "a give-back that hung was not seen to keep a node from reading"),
    ];

    /// <returns>The first that is broken, or null.</returns>
    public static Outcome? Broken()
    {
        using var lua = new LuaScripts();
        return Known.Select(one => new Life(one.Seed, lua, tells: true).Run()).FirstOrDefault(life => life.Broken is not null);
    }
}
