using Microsoft.Extensions.Options;

namespace PoolApi;

/// <summary>Explains why the service cannot start: all faults at once, for the person who wrote the settings.</summary>
internal static class StartFaults
{
    /// <summary>It could not start: settings, port, store. (EX_CONFIG of sysexits.h.)</summary>
    public const int ExitCode = 78;

    /// <summary>While it is false, the framework's own reports of a failed start are kept out of the log: they repeat the fault with a stack trace.</summary>
    public static bool HasStarted { get; set; }

    public static string Explain(Exception exception) => Explain([.. Faults(exception)]);

    public static string Explain(IReadOnlyList<string> faults) => faults.Count == 1
        ? $"PoolApi cannot start: {faults[0]}"
        : $"PoolApi cannot start, for {faults.Count} reasons:\n  {string.Join("\n  ", faults)}";

    private static IEnumerable<string> Faults(Exception exception) => exception switch
    {
        AggregateException many => many.InnerExceptions.SelectMany(Faults).Distinct(),
        OptionsValidationException settings => settings.Failures,
        // The server's own words for an address that failed twice, as IPv6 and as IPv4.
        IOException { InnerException: AggregateException both } => Faults(both),
        _ => [exception.Message],
    };
}
