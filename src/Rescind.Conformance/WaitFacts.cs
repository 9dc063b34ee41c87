using static Rescind.Conformance.LogBench;

namespace Rescind.Conformance;

/// <summary>Waiting: early is allowed, late is not.</summary>
internal static class WaitFacts
{
    public static Dictionary<string, Func<LogBench, Task>> All { get; } = new(StringComparer.Ordinal)
    {
        ["A wait ends when something is appended"] = async bench =>
        {
            var position = await bench.AppendAsync(Token(1));
            var wait = bench.Log.WaitAsync(position, CancellationToken.None).AsTask();
            await bench.AppendAsync(Token(2));
            await EndsAsync(wait, "A wait ends when something is appended behind its position.");
        },
        ["A wait behind the tail ends at once"] = async bench =>
        {
            var position = await bench.AppendAsync(Token(1));
            await bench.AppendAsync(Token(2));
            await EndsAsync(bench.Log.WaitAsync(position, CancellationToken.None).AsTask(),
                "A wait ends at once when there is something behind its position already.");
            await EndsAsync(bench.Log.WaitAsync(default, CancellationToken.None).AsTask(),
                "A wait from before the first entry ends at once when there is one.");
        },
        ["A wait that is cancelled returns and does not throw"] = async bench =>
        {
            var position = await bench.AppendAsync(Token(1));
            using var cancel = new CancellationTokenSource();
            var wait = bench.Log.WaitAsync(position, cancel.Token).AsTask();
            await cancel.CancelAsync();
            try
            {
                await EndsAsync(wait, "A cancelled wait returns.");
            }
            catch (OperationCanceledException fault)
            {
                throw new ContractException("A cancelled wait returns; it does not throw.", fault);
            }
        },
        ["Every one of many waits ends"] = async bench =>
        {
            var position = await bench.AppendAsync(Token(1));
            var waits = Enumerable.Range(0, 20)
                .Select(_ => bench.Log.WaitAsync(position, CancellationToken.None).AsTask()).ToList();
            await bench.AppendAsync(Token(2));
            await EndsAsync(Task.WhenAll(waits), "An append ends every wait, not only one.");
        },
    };

    private static async Task EndsAsync(Task wait, string sentence)
    {
        try
        {
            await wait.WaitAsync(Patience);
        }
        catch (TimeoutException late)
        {
            throw new ContractException(sentence, late);
        }
    }
}
