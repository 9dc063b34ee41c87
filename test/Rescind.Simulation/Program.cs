// dotnet run --project test/Rescind.Simulation -- <seed>         replays one life and prints its story
// dotnet run --project test/Rescind.Simulation [-- lives N [from]] lives those that failed once, and many; prints the story of one that fails
// ... -- find N                                                   lives until a promise is broken
using System.Diagnostics;
using System.Globalization;
using Rescind.Simulation;

if (args.Length == 1 && ulong.TryParse(args[0], CultureInfo.InvariantCulture, out var seed))
{
    using var lua = new LuaScripts();
    return Report(new Life(seed, lua, tells: true).Run());
}
var lives = args.Length > 1 ? ulong.Parse(args[1], CultureInfo.InvariantCulture) : 2_000;
var from = args.Length > 2 ? ulong.Parse(args[2], CultureInfo.InvariantCulture) : 1;
var started = Stopwatch.GetTimestamp();
if (args is ["find", ..])
{
    var found = Many.Run(from, lives, mostFailed: 1);
    Console.WriteLine(found.Failed.Count == 0
        ? $"NOT FOUND in {found.Counts.Lives} lives"
        : $"found in {found.Counts.Lives} lives, seed {found.Failed.First().Seed}, checker {found.Failed.First().Broken!.Checker}");
    return found.Failed.Count == 0 ? 1 : 0;
}
if (Seeds.Broken() is { } known)
{
    return Report(known);
}
var many = Many.Run(from, lives);
var counts = many.Counts;
Console.WriteLine($"{counts.Lives} lives in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s, {counts.Checks} checks "
    + $"({counts.Accepted} accepted, {counts.Revoked} revoked, {counts.Unknown} unknown), {counts.Decisions} revocations, "
    + $"{counts.Exceptions} stated exceptions, {many.Failed.Count} failed, trace {many.Trace:x16}");
if (!counts.ArePlausible)
{
    Console.WriteLine("So little was accepted, revoked or asked at all that these lives prove nothing.");
    return 1;
}
if (many.Failed.Count == 0)
{
    var changed = many.Again();
    Console.WriteLine(changed.Count == 0
        ? $"{many.First.Count} lives lived again: the same traces"
        : $"lives that were not the same again: {string.Join(' ', changed)}");
    return changed.Count == 0 ? 0 : 1;
}
foreach (var failed in many.Failed.GroupBy(one => one.Broken!.Checker, StringComparer.Ordinal))
{
    Console.WriteLine($"{failed.Key}: {failed.Count()}, seeds {string.Join(' ', failed.Select(one => one.Seed).Order().Take(10))}");
}
using var again = new LuaScripts();
return Report(new Life(many.Failed.Min(one => one.Seed), again, tells: true).Run());

static int Report(Outcome life)
{
    foreach (var line in life.Story)
    {
        Console.WriteLine(line);
    }
    Console.WriteLine($"seed {life.Seed}, trace {life.Trace:x16}: "
        + (life.Broken is null ? "every promise kept" : $"broken: {life.Broken.Checker}: {life.Broken.Message}"));
    return life.Broken is null ? 0 : 1;
}
