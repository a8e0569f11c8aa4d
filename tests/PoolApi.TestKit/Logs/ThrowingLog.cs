using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace PoolApi.TestKit.Logs;

/// <summary>Throws at each line, as a log on a full disk does: as the logger provider of an app, or as the logger of one class.</summary>
/// <param name="category">The only category whose lines throw; <see langword="null"/>: all of them throw.</param>
public sealed class ThrowingLog(string? category = null) : ILoggerProvider
{
    private int _thrown;

    /// <summary>How many times it has thrown.</summary>
    public int Thrown => Volatile.Read(ref _thrown);

    public ILogger CreateLogger(string categoryName) =>
        category is null || category == categoryName ? new Logger<object>(this, isFrameworks: false) : NullLogger.Instance;

    /// <summary>The logger of a class that is tested without an app. It throws what the framework's logger throws if its providers do.</summary>
    public ILogger<T> For<T>() => new Logger<T>(this, isFrameworks: true);

    public void Dispose() { }

    private sealed class Logger<T>(ThrowingLog log, bool isFrameworks) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Interlocked.Increment(ref log._thrown);
            var fault = new IOException("No space left on device");
            throw isFrameworks ? new AggregateException(fault) : fault;
        }
    }
}
