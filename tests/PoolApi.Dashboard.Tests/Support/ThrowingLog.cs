using Microsoft.Extensions.Logging.Abstractions;

namespace PoolApi.Dashboard.Tests.Support;

/// <summary>A log that throws at each line of one category, as a log does on a full disk.</summary>
internal sealed class ThrowingLog(string category) : ILoggerProvider
{
    private int _thrown;

    /// <summary>How many times it has thrown.</summary>
    public int Thrown => Volatile.Read(ref _thrown);

    public ILogger CreateLogger(string categoryName) => categoryName == category ? new Logger<object>(this) : NullLogger.Instance;

    /// <summary>The logger of a class that is tested without an app.</summary>
    public ILogger<T> For<T>() => new Logger<T>(this);

    public void Dispose() { }

    private sealed class Logger<T>(ThrowingLog log) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Interlocked.Increment(ref log._thrown);
            throw new IOException("No space left on device");
        }
    }
}
