using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace Rescind;

/// <summary>
/// The one writer of a file. Whatever waits is committed together, so that many callers share one write to
/// the disk: a commit costs a few tenths of a millisecond whether it carries one entry or a hundred.
/// Guarantees: a caller is answered after its own work is on disk, or gets the fault; a fault of one
/// transaction fails the callers in it and nobody else. Trades away: a caller may wait for one transaction
/// that began before its own.
/// </summary>
internal sealed class GroupCommit : IAsyncDisposable
{
    private const int MostWaiting = 4096;
    private const int MostTogether = 512;

    private readonly SqliteFile _file;
    private readonly Channel<Work> _waiting = Channel.CreateBounded<Work>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    private readonly Task _loop;

    public GroupCommit(SqliteFile file)
    {
        _file = file;
        _loop = Task.Run(CommitAsync);
    }

    /// <summary>Does work within a transaction, and returns once that is on disk.</summary>
    /// <exception cref="IOException">Not committed.</exception>
    public async ValueTask<T> DoAsync<T>(Func<SqliteConnection, T> work, CancellationToken cancel)
    {
        var waiting = new Work<T>(work);
        try
        {
            await _waiting.Writer.WriteAsync(waiting, cancel);
        }
        catch (ChannelClosedException fault)
        {
            throw new IOException($"'{_file.Path}' is closed.", fault);
        }
        return await waiting.Task.WaitAsync(cancel);
    }

    /// <summary>Commits what was accepted, then ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _loop;
    }

    private async Task CommitAsync()
    {
        var together = new List<Work>(MostTogether);
        while (await _waiting.Reader.WaitToReadAsync())
        {
            together.Clear();
            while (together.Count < MostTogether && _waiting.Reader.TryRead(out var work))
            {
                together.Add(work);
            }
            if (!TryCommit(together, out var fault) && together.Count > 1 && !IsLocked(fault))
            {
                RetryAlone(together);
                continue;
            }
            together.ForEach(work => work.Answer(fault));
        }
    }

    /// <summary>One of several has failed them all; each gets a transaction of its own.</summary>
    private void RetryAlone(List<Work> together)
    {
        foreach (var work in together)
        {
            TryCommit([work], out var fault);
            work.Answer(fault);
        }
    }

    /// <summary>Whether another program holds the file: then it does so for all, and each would wait as long.
    /// </summary>
    private static bool IsLocked(Exception? fault) =>
        fault?.InnerException is SqliteException { SqliteErrorCode: 5 or 6 };

    private bool TryCommit(List<Work> together, out Exception? fault)
    {
        try
        {
            _file.CheckIsThere();
            using var transaction = _file.Writer.BeginTransaction();
            together.ForEach(work => work.Do(_file.Writer));
            transaction.Commit();
            fault = null;
            return true;
        }
        catch (Exception failed) when (failed is SqliteException or InvalidCastException or FormatException)
        {
            fault = SqliteFile.Explained(_file.Path, failed);
            return false;
        }
        catch (Exception failed)
        {
            fault = failed;
            return false;
        }
    }

    private abstract class Work
    {
        public abstract void Do(SqliteConnection connection);

        public abstract void Answer(Exception? fault);
    }

    private sealed class Work<T>(Func<SqliteConnection, T> work) : Work
    {
        private readonly TaskCompletionSource<T> _answer =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T _result = default!;

        public Task<T> Task => _answer.Task;

        public override void Do(SqliteConnection connection) => _result = work(connection);

        public override void Answer(Exception? fault)
        {
            if (fault is null)
            {
                _answer.SetResult(_result);
            }
            else
            {
                _answer.SetException(fault);
            }
        }
    }
}
