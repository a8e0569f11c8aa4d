namespace PoolApi.Tests.Service;

/// <summary>A log that throws at each line, as if its disk were full. The framework's factory makes its loggers, as in an app.</summary>
internal sealed class ThrowingLog : ILoggerProvider, ILogger
{
    private readonly LoggerFactory _factory;
    private int _thrown;

    public ThrowingLog() => _factory = new LoggerFactory([this]);

    /// <summary>How many times it has thrown.</summary>
    public int Thrown => Volatile.Read(ref _thrown);

    public ILogger<T> For<T>() => _factory.CreateLogger<T>();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        Interlocked.Increment(ref _thrown);
        throw new IOException("No space left on device");
    }

    public void Dispose() => _factory.Dispose();
}
