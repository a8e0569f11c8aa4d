namespace PoolApi.Telemetry;

/// <summary>The log: one event a line, with the time in UTC.</summary>
internal static class LogFormat
{
    public static void AddLogFormat(this ILoggingBuilder logging)
    {
        logging.AddSimpleConsole(static console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
        });
        // A start that fails is explained once, without stack traces (StartFaults); afterwards nothing is kept back.
        logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", static level => StartFaults.HasStarted && level >= LogLevel.Information);
        logging.AddFilter(
            "Microsoft.AspNetCore.Server.Kestrel", static level => level >= (StartFaults.HasStarted ? LogLevel.Warning : LogLevel.None));
    }
}
