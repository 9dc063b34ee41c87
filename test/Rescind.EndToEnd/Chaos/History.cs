using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;

namespace Rescind.EndToEnd.Chaos;

/// <summary>One thing that was done, and how it was answered.</summary>
/// <param name="Begun">When it was sent, in microseconds since the history began, by a clock that only goes on.</param>
/// <param name="Ended">When the answer was there.</param>
/// <param name="Where">The node that answered; <c>front</c>: the proxy before them, or nobody.</param>
/// <param name="What">The call, or what the world did.</param>
/// <param name="On">A token (<c>user/session/number</c>, or one word when it was minted) or a part of its name: a session
/// or a user. Of a fault: what it hits.</param>
/// <param name="Status">0: no answer.</param>
/// <param name="Word">The code of a refusal, or the state of a receipt.</param>
internal sealed record Event(
    long Begun, long Ended, string Where, string What, string On, int Status = 0, string Word = "");

/// <summary>What happened, as those who asked saw it.</summary>
internal sealed class History
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly ConcurrentQueue<Event> _events = new();

    public long Now => (long)Stopwatch.GetElapsedTime(_start).TotalMicroseconds;

    public IReadOnlyList<Event> Events => [.. _events];

    public void Add(Event happened) => _events.Enqueue(happened);

    /// <summary>What the world did at this moment.</summary>
    public void Note(string where, string what, string on = "", int status = 0, string word = "")
    {
        var now = Now;
        Add(new Event(now, now, where, what, on, status, word));
    }

    /// <summary>Writes one line of JSON for each event.</summary>
    public void Save(string path) => File.WriteAllLines(
        path, _events.OrderBy(one => one.Begun).Select(one => JsonSerializer.Serialize(one)));
}
