namespace PoolApi.JobService;

/// <summary>How requests are stored: of an endpoint, or of all in the app. What both say adds up.</summary>
internal sealed class StorableOptions
{
    /// <summary>What is kept of a request beside the usual.</summary>
    public RequestCapture Capture { get; } = new();
}
