"""Pullkeeper keeps an image-pull Secret for Amazon ECR fresh in every namespace that asks for one."""
