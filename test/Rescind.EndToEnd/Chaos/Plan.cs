namespace Rescind.EndToEnd.Chaos;

/// <summary>When which fault begins, and how long it lasts: all of it follows from the seed.</summary>
internal sealed class Plan
{
    /// <summary>So many faults at a time at most.</summary>
    private const int Together = 3;

    private Plan(IReadOnlyList<Step> steps) => Steps = steps;

    public sealed record Step(TimeSpan At, TimeSpan Lasts, Fault Fault)
    {
        public TimeSpan Until => At + Lasts;

        public override string ToString() => $"{At.TotalSeconds,6:0.0} s for {Lasts.TotalSeconds,4:0.0} s: {Fault.Name}";
    }

    public IReadOnlyList<Step> Steps { get; }

    public static Plan Draw(int seed, TimeSpan length, IReadOnlyList<Fault> faults)
    {
        var random = new Random(seed);
        var steps = new List<Step>();
        for (var at = TimeSpan.FromSeconds(1); at < length;
            at += TimeSpan.FromSeconds(0.2 + (2 * random.NextDouble())))
        {
            var under = steps.Where(step => step.Until + TimeSpan.FromSeconds(1) > at).ToList();
            var possible = faults.Where(fault => !under.Any(step => step.Fault.Takes.Intersect(fault.Takes).Any())).ToList();
            if (under.Count >= Together || possible.Count == 0)
            {
                continue;
            }

            // The kinds are equally likely: there are many links, and one Redis.
            var kinds = possible.GroupBy(fault => string.Join(' ', fault.Name.Split(' ')[..2])).ToList();
            var kind = kinds[random.Next(kinds.Count)].ToList();
            var lasts = TimeSpan.FromSeconds(0.3 + (5.7 * Math.Pow(random.NextDouble(), 2)));
            steps.Add(new Step(at, lasts < length - at ? lasts : length - at, kind[random.Next(kind.Count)]));
        }
        return new Plan(steps);
    }

    /// <summary>Lives through it; all is put right when this completes.</summary>
    public async Task RunAsync(History history)
    {
        var begun = history.Now;
        var under = new List<(Step Step, Task Over)>();
        foreach (var step in Steps)
        {
            // A fault that takes longer than planned, to begin or to end, holds up what must not meet it.
            var before = under.Where(one => one.Step.Fault.Takes.Intersect(step.Fault.Takes).Any()).Select(one => one.Over);
            under.Add((step, RunAsync(step, begun, history, Task.WhenAll(before))));
        }
        await Task.WhenAll(under.Select(one => one.Over));
    }

    private static async Task RunAsync(Step step, long begun, History history, Task before)
    {
        var wait = step.At - TimeSpan.FromMicroseconds(history.Now - begun);
        await Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
        await before;
        history.Note("", "fault begins", step.Fault.Name);
        await step.Fault.Begin();
        await Task.Delay(step.Lasts);
        await step.Fault.End();
        history.Note("", "fault ends", step.Fault.Name);
    }
}
