namespace PoolApi.Thumbnails;

/// <summary>The image itself cannot be turned into the thumbnail: the client's input, not a fault of the service.</summary>
public sealed class UnprocessableImageException : Exception
{
    /// <summary>Refuses an image for a reason that may be shown to the client.</summary>
    public UnprocessableImageException(string reason, Exception? innerException = null)
        : base(reason, innerException)
    {
    }

    /// <summary>Why, in words for the client. The inner exception may name libvips' internals and belongs in the log only.</summary>
    public string Reason => Message;
}
