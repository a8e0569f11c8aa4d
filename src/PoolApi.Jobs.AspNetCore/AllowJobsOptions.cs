using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.AspNetCore;

/// <summary>How the requests of one endpoint become jobs.</summary>
public sealed class AllowJobsOptions
{
    private int? _maxAttempts;

    /// <summary>How many attempts a job of the endpoint has, 1 to 100; <see langword="null"/>: <see cref="JobsOptions.MaxAttempts"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is out of its range.</exception>
    public int? MaxAttempts
    {
        get => _maxAttempts;
        set
        {
            if (value is { } attempts && !JobRanges.MaxAttempts.Contains(attempts))
                throw new ArgumentOutOfRangeException(nameof(value), value, $"MaxAttempts must be {JobRanges.MaxAttempts}.");
            _maxAttempts = value;
        }
    }

    /// <summary>What a job stores of its request in addition to the method, path, query, content type and body. Adds to <see cref="JobsOptions.Capture"/>.</summary>
    public RequestCapture Capture { get; } = new();
}
