using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Telemetry;
using PoolApi.Threading;

namespace PoolApi.Tests.Telemetry;

/// <summary>The console log limits the rate of each repeated warning or error, and writes every other line.</summary>
public sealed class ConsoleLogTests : IDisposable
{
    private readonly Clock _clock = new();
    private readonly List<LogLine> _lines = [];
    private readonly ConsoleLog _log;

    public ConsoleLogTests() => _log = new ConsoleLog(
        new ConsoleLoggerOptions { FormatterName = "plain", LogToStandardErrorThreshold = LogLevel.Error, MaxQueueLength = 100_000 },
        [new Plain()],
        line =>
        {
            lock (_lines) _lines.Add(line);
        },
        _clock);

    [Theory]
    [InlineData(LogLevel.Warning)]
    [InlineData(LogLevel.Error)]
    [InlineData(LogLevel.Critical)]
    public void A_repeated_warning_or_error_is_limited_to_a_burst_and_one_line_every_few_seconds(LogLevel level)
    {
        ILogger log = _log.CreateLogger("Microsoft.AspNetCore.Server.Kestrel.Http2");
        string[] texts = [.. Enumerable.Range(0, 2000).Select(static i => $"{i}")];
        foreach (string text in texts[..1000]) Say(log, level, 60, text);
        _clock.Now += LogRateLimit.Pause;
        foreach (string text in texts[1000..]) Say(log, level, 60, text);

        string[] lines = Close();
        Assert.Equal(
            [.. Enumerable.Range(0, LogRateLimit.Burst).Select(static i => $"{i}"), "990 more events like the next were left out: they come too often", "1000"],
            lines);
        Assert.Equal(990 + 999, _log.LeftOut);
    }

    [Fact]
    public void One_event_does_not_crowd_out_another_one()
    {
        ILogger log = _log.CreateLogger("A");
        for (int i = 0; i < 100; i++) Say(log, LogLevel.Error, 1, "often");
        Say(log, LogLevel.Error, 2, "another event");
        Say(_log.CreateLogger("B"), LogLevel.Error, 1, "another category");
        Assert.Equal(["another category", "another event"], Close().Except(["often"]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Information_and_Debug_lines_are_not_rate_limited()
    {
        ILogger log = _log.CreateLogger("Microsoft.AspNetCore.Hosting.Diagnostics");
        for (int i = 0; i < 500; i++) Say(log, LogLevel.Information, 1, "request");
        for (int i = 0; i < 500; i++) Say(log, LogLevel.Debug, 2, "detail");
        Assert.Equal(1000, Close().Length);
    }

    [Fact]
    public void Nothing_follows_the_summary_of_the_stop()
    {
        int summary = typeof(ShutdownLog).GetMethod("LogCompleteExit", BindingFlags.Instance | BindingFlags.NonPublic)!.GetCustomAttribute<LoggerMessageAttribute>()!.EventId;
        ILogger stop = _log.CreateLogger(typeof(ShutdownCoordinator).FullName!), export = _log.CreateLogger("PoolApi.Telemetry.ExportRecord");
        Say(stop, LogLevel.Information, 10, "Shutdown: Flushing");
        Say(export, LogLevel.Error, summary, "an event of another category");
        Say(stop, LogLevel.Information, summary, "Shutdown complete: exit 0");
        Say(export, LogLevel.Error, 50, "The collector does not accept metrics");
        Assert.Equal(["Shutdown: Flushing", "an event of another category", "Shutdown complete: exit 0"], Close());
    }

    [Fact]
    public void The_errors_of_a_stop_about_its_workers_are_not_rate_limited()
    {
        ILogger log = _log.CreateLogger(typeof(FixedThreadPool).FullName!);
        for (int i = 0; i < 1024; i++) Say(log, LogLevel.Error, 3, "not joined");
        Assert.Equal(1024, Close().Length);
    }

    [Fact]
    public void Errors_are_written_to_standard_error_if_so_configured()
    {
        ILogger log = _log.CreateLogger("A");
        Say(log, LogLevel.Warning, 0, "a");
        Say(log, LogLevel.Error, 0, "b");
        Close();
        Assert.Equal([("a", false), ("b", true)], _lines.Select(static line => (line.Text, line.IsError)));
    }

    public void Dispose() => _log.Dispose();

    private static void Say(ILogger log, LogLevel level, int id, string text) => log.Log(level, new EventId(id), text, null, static (text, _) => text);

    private string[] Close()
    {
        // Each call waits for at most a second, which the writer's thread may exceed on a busy machine. Once that thread has ended, no call waits.
        for (int i = 0; i < 100; i++) _log.Dispose();
        lock (_lines) return [.. _lines.Select(static line => line.Text)];
    }

    /// <summary>Writes the message alone.</summary>
    private sealed class Plain() : ConsoleFormatter("plain")
    {
        public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter) =>
            textWriter.Write(string.Create(CultureInfo.InvariantCulture, $"{logEntry.Formatter(logEntry.State, logEntry.Exception)}"));
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
