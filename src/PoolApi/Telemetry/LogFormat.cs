using System.Globalization;

namespace PoolApi.Telemetry;

/// <summary>The log: one event a line, with the time in UTC.</summary>
internal static class LogFormat
{
    private const string Timestamp = "yyyy-MM-ddTHH:mm:ss.fffZ ";

    /// <summary>Writes a line of the stop before there is a log, as the log would.</summary>
    public static void WriteEarly(string line) => Console.Out.WriteLine(
        $"{DateTimeOffset.UtcNow.ToString(Timestamp, CultureInfo.InvariantCulture)}info: PoolApi.AspNetCore.Shutdown.ShutdownCoordinator[0] {line}");

    public static void AddLogFormat(this ILoggingBuilder logging)
    {
        logging.AddSimpleConsole(static console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = Timestamp;
        });
        // A start that fails is explained once, without stack traces (StartFaults); afterwards nothing is kept back.
        logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", static level => StartFaults.HasStarted && level >= LogLevel.Information);
        logging.AddFilter(
            "Microsoft.AspNetCore.Server.Kestrel", static level => level >= (StartFaults.HasStarted ? LogLevel.Warning : LogLevel.None));
    }
}
