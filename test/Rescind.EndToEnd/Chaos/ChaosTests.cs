namespace Rescind.EndToEnd.Chaos;

/// <summary>Real processes, real faults, and a history that is read against the promises.</summary>
public sealed class ChaosTests(ITestOutputHelper output)
{
    /// <summary>A minute in the ordinary run, ten by <c>dotnet run build.cs soak chaos</c>.</summary>
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("RESCIND_SOAK_SECONDS"), out var seconds) ? seconds : 60);

    private static readonly int Seed = int.TryParse(Environment.GetEnvironmentVariable("RESCIND_CHAOS_SEED"), out var seed)
        ? seed : Random.Shared.Next(1_000_000);

    [Fact]
    public async Task Whatever_breaks_the_promises_are_kept()
    {
        output.WriteLine($"seed {Seed}; to repeat its faults: RESCIND_CHAOS_SEED={Seed}");
        var history = new History();
        await using var world = await World.StartAsync(history);
        var plan = Plan.Draw(Seed, Length, Faults.Of(world));
        try
        {
            await new Season(world, plan).LiveAsync();
            var (broken, exceptions) = Checker.Check(history.Events);
            var fullDisks = world.All.Sum(node => node.FullDisks);
            output.WriteLine(Summary.Of(history.Events, exceptions, fullDisks));
            Assert.True(broken.Count == 0, $"{broken.Count} broken:\n{string.Join('\n', broken.Take(20))}");
            Assert.Empty(Summary.Lacks(history.Events));
            if (Length >= TimeSpan.FromMinutes(10))
            {
                Assert.True(fullDisks > 0, "Many disks were filled, and no node has noticed.");
                Assert.Contains(history.Events, one => one.What == "wrong date");
            }
        }
        catch
        {
            output.WriteLine(string.Join('\n', plan.Steps));
            output.WriteLine($"The history, and what nodes and nginx wrote, is in {Save(world)}");
            throw;
        }
    }

    private static string Save(World world)
    {
        var folder = Directory.CreateTempSubdirectory("rescind-chaos-").FullName;
        world.History.Save(Path.Combine(folder, $"history-{Seed}.jsonl"));
        foreach (var node in world.All)
        {
            File.WriteAllText(Path.Combine(folder, $"{node.Name}.log"), node.Server.Output);
        }
        File.WriteAllText(Path.Combine(folder, "nginx.log"), world.Front.ErrorLog());
        return folder;
    }
}
