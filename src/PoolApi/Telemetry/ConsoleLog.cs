using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.Telemetry;

/// <summary>The log on standard output, in the framework's formats. It never blocks the thread that logs, whether the log is read or not.</summary>
/// <remarks>
/// It replaces the framework's own provider, which does not report dropped lines, and which writes on the caller's thread once it has been
/// disposed of. Repeated events from Warning on are limited (<see cref="LogRateLimit"/>); events below Warning are not.
/// It writes nothing after the summary of the stop, because operators read that line as the last. Another thread may still log then, for example
/// when its export fails.
/// </remarks>
[ProviderAlias("Console")]
internal sealed class ConsoleLog : ILoggerProvider, ISupportExternalScope
{
    /// <summary>
    /// The longest time for which <see cref="Dispose"/> waits until the queued lines are written. A normal end of the program waits for half a second only
    /// (<see cref="BoundedDisposal"/>); a forced end waits for all of it.
    /// </summary>
    public static readonly TimeSpan LastLines = TimeSpan.FromSeconds(1);

    // The lines of a stop about each worker come once and must not be dropped.
    private static readonly string[] Unlimited = [typeof(FixedThreadPool).FullName!, "PoolApi.AspNetCore.Shutdown."];

    // The summary of the stop: ShutdownLog.LogCompleteExit.
    private const int LastEvent = 11;
    private static readonly string LastCategory = typeof(ShutdownCoordinator).FullName!;

    private readonly ConcurrentDictionary<string, ILogger> _loggers = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<LogRateLimit> _limits = [];
    private readonly ConsoleLoggerOptions _options;
    private readonly ConsoleFormatter _formatter;
    private readonly LogQueue _queue;
    private readonly TimeProvider _time;
    private IExternalScopeProvider? _scopes;

    public ConsoleLog(IOptions<ConsoleLoggerOptions> options, IEnumerable<ConsoleFormatter> formatters, IMeterFactory meters, IServiceProvider services)
        : this(options.Value, formatters, ConsoleOutput.Open(), services.GetService<TimeProvider>() ?? TimeProvider.System)
    {
        meters.Create(FixedThreadPool.MeterName).CreateObservableCounter<long>(
            "poolapi.log.dropped",
            () =>
            [
                new(_queue.Dropped, new KeyValuePair<string, object?>("reason", "queue_full")),
                new(LeftOut, new KeyValuePair<string, object?>("reason", "rate_limit")),
            ],
            "{line}",
            "Lines of the log that were not written.");
    }

    internal ConsoleLog(ConsoleLoggerOptions options, IEnumerable<ConsoleFormatter> formatters, Action<LogLine> write, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _formatter = formatters.Single(one => one.Name.Equals(options.FormatterName, StringComparison.OrdinalIgnoreCase));
        _queue = new LogQueue(options.MaxQueueLength, write, Dropped);
    }

    /// <summary>Lines that one event had too many.</summary>
    public long LeftOut => _limits.Sum(static limit => limit.Dropped);

    public ILogger CreateLogger(string categoryName) => _loggers.GetOrAdd(categoryName, static (category, log) =>
    {
        if (Array.Exists(Unlimited, prefix => category.StartsWith(prefix, StringComparison.Ordinal))) return new Logger(log, category, null);
        var limit = new LogRateLimit(log._time);
        log._limits.Add(limit);
        return new Logger(log, category, limit);
    }, this);

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    /// <summary>Waits for the last lines for a limited time: the log may have no reader.</summary>
    public void Dispose() => _queue.Close(LastLines);

    private LogLine Dropped(long lines) => Format(
        LogLevel.Warning, typeof(ConsoleLog).FullName!, 1, $"{lines} lines of the log were dropped here: standard output was not read, or too slowly", null,
        static (message, _) => message);

    private LogLine Format<TState>(
        LogLevel level, string category, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        using var writer = new StringWriter();
        _formatter.Write(new LogEntry<TState>(level, category, eventId, state, exception, formatter), _scopes, writer);
        return new LogLine(writer.ToString(), level >= _options.LogToStandardErrorThreshold);
    }

    private sealed class Logger(ConsoleLog log, string category, LogRateLimit? limit) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => log._scopes?.Push(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            if (logLevel >= LogLevel.Warning && limit is not null)
            {
                if (!limit.TryTake(eventId.Id, out long leftOut)) return;
                if (leftOut > 0)
                {
                    Add(log.Format(
                        logLevel, category, eventId, $"{leftOut} more events like the next were left out: they come too often", null,
                        static (message, _) => message));
                }
            }
            LogLine line = log.Format(logLevel, category, eventId, state, exception, formatter);
            if (eventId.Id == LastEvent && category == LastCategory) log._queue.AddLast(line);
            else Add(line);
        }

        private void Add(LogLine line)
        {
            if (line.Text.Length > 0) log._queue.Add(line);
        }
    }
}

/// <summary>Standard output and standard error, without the buffer of <see cref="Console"/>.</summary>
internal static class ConsoleOutput
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    private static readonly Lazy<Stream> Output = new(Console.OpenStandardOutput, LazyThreadSafetyMode.PublicationOnly);

    private static readonly Lazy<Stream> Error = new(Console.OpenStandardError, LazyThreadSafetyMode.PublicationOnly);

    /// <summary>
    /// Opens both streams and returns the method that writes a line. To open them later may fail: each takes a file descriptor, and the first line may be the
    /// one that reports that the process has none left.
    /// </summary>
    public static Action<LogLine> Open()
    {
        foreach (Lazy<Stream> stream in (Lazy<Stream>[])[Output, Error])
        {
            try
            {
                stream.Value.Write([]); // the first write initializes the console, which takes a descriptor too
            }
            catch (Exception)
            {
                // The process was started without this stream, or with too few descriptors. Each line tries again.
            }
        }
        return Write;
    }

    private static void Write(LogLine line) => (line.IsError ? Error : Output).Value.Write(Utf8.GetBytes(line.Text));
}
