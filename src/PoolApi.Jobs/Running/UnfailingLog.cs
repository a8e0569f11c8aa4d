using Microsoft.Extensions.Logging;

namespace PoolApi.Jobs.Running;

/// <summary>
/// The log of flows that must continue: a line is lost if a provider throws or there is no memory for it. An exception would end the flow, and no job
/// would be claimed or renewed any more. Thread-safe as the log behind it.
/// </summary>
internal sealed class UnfailingLog(ILogger log) : ILogger
{
    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => log.BeginScope(state);

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return log.IsEnabled(logLevel);
        }
        catch (Exception e) when (IsOfLog(e))
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            log.Log(logLevel, eventId, state, exception, formatter);
        }
        catch (Exception e) when (IsOfLog(e))
        {
            // There is no other place to report it.
        }
    }

    // The framework's loggers wrap the exceptions of all providers in one AggregateException.
    private static bool IsOfLog(Exception e) => e is AggregateException or OutOfMemoryException;
}
