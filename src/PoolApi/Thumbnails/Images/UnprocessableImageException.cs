namespace PoolApi.Thumbnails;

/// <summary>The image cannot become the thumbnail. The client's input is at fault, not the service.</summary>
public sealed class UnprocessableImageException : Exception
{
    /// <summary>Creates the exception.</summary>
    public UnprocessableImageException(string reason, Exception? innerException = null)
        : base(reason, innerException)
    {
    }

    /// <summary>The reason, in words for the client. The inner exception may name internals of libvips, and is for the log only.</summary>
    public string Reason => Message;
}
