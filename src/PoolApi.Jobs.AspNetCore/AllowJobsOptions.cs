namespace PoolApi.Jobs.AspNetCore;

/// <summary>How the requests of one endpoint become jobs.</summary>
public sealed class AllowJobsOptions
{
    private int? _maxAttempts;

    /// <summary>How many attempts its jobs have, 1 to 100; <see langword="null"/>: as many as <see cref="JobsOptions.MaxAttempts"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is out of its range.</exception>
    public int? MaxAttempts
    {
        get => _maxAttempts;
        set
        {
            if (value is { } attempts && !JobRanges.MaxAttempts.Contains(attempts))
                throw new ArgumentOutOfRangeException(nameof(value), value, $"MaxAttempts may be {JobRanges.MaxAttempts}.");
            _maxAttempts = value;
        }
    }

    /// <summary>What is kept of a request beside the usual. Adds to what <see cref="JobsOptions.Capture"/> keeps.</summary>
    public RequestCapture Capture { get; } = new();
}
