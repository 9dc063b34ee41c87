using Microsoft.Extensions.Logging;

namespace Rescind.Tests;

/// <summary>What is logged, by id of the line.</summary>
internal sealed class LogLines : ILoggerProvider, ILogger
{
    private readonly List<(int Id, string Text)> _lines = [];

    public IReadOnlyList<string> Of(int id)
    {
        lock (_lines)
        {
            return [.. _lines.Where(line => line.Id == id).Select(line => line.Text)];
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        lock (_lines)
        {
            _lines.Add((eventId.Id, formatter(state, exception)));
        }
    }

    public void Dispose()
    {
    }
}
