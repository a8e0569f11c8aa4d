using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace PoolApi.TestKit.Logs;

/// <summary>Captures log lines, as the logger provider of an app or as the logger of one class.</summary>
public sealed class CapturingLog : ILoggerProvider
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> _lines = new();

    public IReadOnlyList<(LogLevel Level, string Text)> Lines => [.. _lines];

    public IReadOnlyList<string> Texts => [.. _lines.Select(static l => l.Text)];

    public string[] With(string start) => [.. Texts.Where(text => text.StartsWith(start, StringComparison.Ordinal))];

    public ILogger CreateLogger(string categoryName) => new Logger<object>(_lines);

    /// <summary>The logger of a class that is tested without an app.</summary>
    public ILogger<T> For<T>() => new Logger<T>(_lines);

    public void Dispose() { }

    private sealed class Logger<T>(ConcurrentQueue<(LogLevel, string)> lines) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue((logLevel, formatter(state, exception) + (exception is null ? "" : "\n" + exception)));
    }
}
