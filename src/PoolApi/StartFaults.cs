using Microsoft.Extensions.Options;

namespace PoolApi;

/// <summary>Says why the service cannot start: everything at once, in words for whoever wrote the settings.</summary>
internal static class StartFaults
{
    /// <summary>It could not start: settings, port, store. (EX_CONFIG of sysexits.h.)</summary>
    public const int ExitCode = 78;

    /// <summary>While it is false the framework's own accounts of a failed start are kept out of the log: they repeat it with a stack trace.</summary>
    public static bool HasStarted { get; set; }

    public static string Explain(Exception exception)
    {
        string[] faults = [.. Faults(exception)];
        return faults.Length == 1
            ? $"PoolApi cannot start: {faults[0]}"
            : $"PoolApi cannot start, for {faults.Length} reasons:\n  {string.Join("\n  ", faults)}";
    }

    private static IEnumerable<string> Faults(Exception exception) => exception switch
    {
        AggregateException many => many.InnerExceptions.SelectMany(Faults).Distinct(),
        OptionsValidationException settings => settings.Failures,
        IOException when exception.Message.StartsWith("Failed to bind", StringComparison.Ordinal) =>
            [$"{exception.Message.TrimEnd('.')}. Choose another port with Urls or Management:Urls, or stop the program that has it."],
        _ => [exception.Message],
    };
}
