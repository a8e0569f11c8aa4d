using Microsoft.Extensions.Options;

namespace PoolApi.Settings;

/// <summary>Explains why the service cannot start: all faults at once, for the person who wrote the settings.</summary>
internal static class StartFaults
{
    /// <summary>It could not start: settings, port, store. (EX_CONFIG of sysexits.h.)</summary>
    public const int ExitCode = 78;

    /// <summary>While it is false, the framework's own reports of a failed start are kept out of the log: they repeat the fault with a stack trace.</summary>
    public static bool HasStarted { get; set; }

    /// <param name="exception">What ended the start.</param>
    /// <param name="known">
    /// Faults of the settings that the host has not reported yet. Some part of the host may read a faulty setting before that, such as the log, and then
    /// fails in words that name no setting. The faults say it better.
    /// </param>
    public static string Explain(Exception exception, IReadOnlyList<string>? known = null)
    {
        string[] found = [.. Faults(exception)];
        return Explain(known is { Count: > 0 } && !known.All(found.Contains) ? known : found);
    }

    public static string Explain(IReadOnlyList<string> faults) => faults.Count == 1
        ? $"PoolApi cannot start: {faults[0]}"
        : $"PoolApi cannot start, for {faults.Count} reasons:\n  {string.Join("\n  ", faults)}";

    private static IEnumerable<string> Faults(Exception exception) => exception switch
    {
        AggregateException many => many.InnerExceptions.SelectMany(Faults).Distinct(),
        OptionsValidationException settings => settings.Failures,
        // Kestrel throws this if it can bind an address neither as IPv6 nor as IPv4. The inner exceptions name the address.
        IOException { InnerException: AggregateException both } => Faults(both),
        _ => [exception.Message],
    };
}
