using System.Collections.Concurrent;
using System.Diagnostics;

namespace Rescind.EndToEnd.Fleet;

/// <summary>Callers that check one token in a loop, and remember every answer with its time. Beside each check they make
/// a call that checks nothing: what slows that too is the machine, not the check.</summary>
internal sealed class Load : IAsyncDisposable
{
    private readonly CancellationTokenSource _over = new();
    private readonly List<Task> _callers;
    private ConcurrentBag<(int Status, double Ms, double BesideMs)> _answers = [];

    /// <param name="nodes">Two callers for each of these.</param>
    /// <param name="token">A token that is to be accepted throughout.</param>
    public Load(IEnumerable<FleetNode> nodes, string token) =>
        _callers = [.. nodes.SelectMany(node => new[] { node, node }).Select(node => CallAsync(node, token))];

    /// <summary>What was answered since the last call of this: other answers than 200, times in order, and those of
    /// the calls beside.</summary>
    public (int Failed, double[] Times, double[] Beside) Take()
    {
        var answers = Interlocked.Exchange(ref _answers, []).ToList();
        return (
            answers.Count(answer => answer.Status != 200), [.. answers.Select(answer => answer.Ms).Order()],
            [.. answers.Select(answer => answer.BesideMs).Order()]);
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await Task.WhenAll(_callers);
        _over.Dispose();
    }

    private async Task CallAsync(FleetNode node, string token)
    {
        while (!_over.IsCancellationRequested)
        {
            var begun = Stopwatch.GetTimestamp();
            var status = await node.CheckAsync(token);
            var took = Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
            begun = Stopwatch.GetTimestamp();
            await node.IsAliveAsync();
            _answers.Add((status, took, Stopwatch.GetElapsedTime(begun).TotalMilliseconds));
            await Task.Delay(5);
        }
    }
}
